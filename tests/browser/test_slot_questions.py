"""What the question before a slot is restarted or drained says, also while the slot changes."""

from playwright.sync_api import expect

from tests.browser.interception import intercept, stop_intercepting
from tests.browser.kept_panel import kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.panel import SYSTEM, Panel, worker
from tests.browser.test_workers import JOB


def test_an_open_question_says_what_is_so_by_now(panel: Panel) -> None:
    first, second = worker("default-1", job=JOB), worker("default-2", job=JOB)
    page = panel.open(first, second, *SYSTEM)
    text, yes = page.locator("#confirm-text"), page.locator("#confirm-yes")
    panel.unfold("default-1").locator("[data-action=restart]").click()
    expect(text).to_contain_text("It runs resize 12 and finishes it first.")
    fresh = worker("default-1", pid=4712, incarnation="two")
    panel.workers = [fresh, second, *SYSTEM]
    expect(text).to_contain_text("Its process has ended meanwhile, and another one runs (pid 4712)")
    expect(text).not_to_contain_text("resize")
    expect(text).to_contain_text("Then default-1 starts again.")
    page.keyboard.press("Escape")
    panel.unfold("default-2").locator("[data-action=drain]").click()
    expect(text).to_contain_text("It runs resize 12 and finishes it first.")
    panel.workers = [fresh, worker("default-2", state="down", pid=None), *SYSTEM]
    expect(text).to_have_text("Its state is down by now.")
    expect(yes).to_be_disabled()
    panel.workers = [fresh, *SYSTEM]
    expect(text).to_have_text("It is gone meanwhile.")
    page.keyboard.press("Escape")


def test_a_start_is_no_restart_of_what_somebody_else_has_started(panel: Panel) -> None:
    page = panel.open(worker("default-1", state="down", pid=None, incarnation=None), *SYSTEM)
    panel.unfold("default-1").locator("[data-action=restart]").click()
    expect(page.locator("#confirm-text")).to_have_text("It starts now.")
    panel.workers = [worker("default-1"), *SYSTEM]
    expect(page.locator("#confirm-text")).to_have_text("It has been started meanwhile.")
    expect(page.locator("#confirm-yes")).to_be_disabled()
    page.keyboard.press("Escape")


def test_that_nothing_answers_is_not_said_any_longer_once_the_page_is_connected_again(
    panel: Panel,
) -> None:
    page = panel.open(worker("default-1", state="down", pid=None), *SYSTEM)
    intercept(page, "**/workers/default-1/restart", lambda route: route.abort())
    panel.unfold("default-1").locator("[data-action=restart]").click()
    page.locator("#confirm-yes").click()
    problem = page.locator("#confirm-problem")
    expect(problem).to_have_text("Orpheus does not answer. Is it running?")
    panel.cut()
    expect(problem).to_be_hidden()
    refusal = "default-1 is gone"
    stop_intercepting(page, "**/workers/default-1/restart")
    panel.answer("/workers/default-1/restart", 404, {"detail": refusal})
    page.locator("#confirm-yes").click()
    expect(problem).to_have_text(refusal)
    panel.cut()
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(problem).to_have_text(refusal)
    page.keyboard.press("Escape")


def test_who_drains_the_last_worker_of_a_pool_learns_that_nobody_runs_its_queues(
    panel: Panel,
) -> None:
    mail = worker("mail-1", "mail")
    page = panel.open(mail, worker("mail-2", "mail", state="down", pid=None), *SYSTEM)
    panel.unfold("mail-1").locator("[data-action=drain]").click()
    nobody = "Then nobody runs the jobs of its queues, unless another pool serves them."
    expect(page.locator("#confirm-text")).to_contain_text(nobody)
    panel.workers = [mail, worker("mail-2", "mail"), *SYSTEM]
    expect(page.locator("#confirm-text")).not_to_contain_text(nobody)
    panel.workers = [
        mail,
        worker("mail-2", "mail", state="draining", order="scaled_away", leaves=True),
        *SYSTEM,
    ]
    expect(page.locator("#confirm-text")).to_contain_text(nobody)
    again = worker("mail-2", "mail", state="draining", order="replaced")
    panel.workers = [mail, again, *SYSTEM]
    expect(page.locator("#confirm-text")).not_to_contain_text(nobody)
    page.keyboard.press("Escape")


def test_that_a_process_gave_no_stack_is_not_said_of_the_next_one(panel: Panel) -> None:
    panel.open(worker("default-1"), *SYSTEM)
    panel.answer("/workers/default-1/stack", 503, {"detail": "it did not answer"})
    fold = panel.unfold("default-1")
    fold.locator("[data-action=stack]").click()
    expect(fold.locator(".problem")).to_contain_text("No stack of default-1, ")
    expect(fold.locator(".problem time")).to_be_visible()
    panel.workers = [worker("default-1", pid=4712, incarnation="two"), *SYSTEM]
    expect(fold.locator(".problem")).to_be_hidden()


def test_who_restarts_a_program_learns_after_how_long_it_is_killed(panel: Panel) -> None:
    web = {"host": "host-1", "name": "web", "workers": 1, "finishes_within_s": 25.0, "scaled": None}
    panel.answer("/workers?samples=true", 200, {"items": [], "pools": [], "programs": [web]})
    page = panel.open(worker("web-1", "web", role="program"), *SYSTEM)
    expect(page.locator("#pools form")).to_have_count(1)
    panel.unfold("web-1").locator("[data-action=restart]").click()
    expect(page.locator("#confirm-text")).to_have_text(
        "The program is asked to stop, and killed if it still runs after 25 s. "
        "Then web-1 starts again."
    )
