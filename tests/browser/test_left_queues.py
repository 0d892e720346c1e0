"""Which queues nobody serves after a scale or a drain: the question before it names them."""

from playwright.sync_api import expect

from tests.browser.kept_panel import kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.panel import SYSTEM, Panel, worker
from tests.browser.test_scale_questions import LASTS, ask
from tests.browser.test_scaling import leaving

GOES = "1 worker will end: mail-1. Each finishes its job first."
MAIL_1 = worker("mail-1", "mail")
MEDIA_1 = worker("media-1", "media")
DRAINED = {"state": "down", "pid": None, "order": "drained"}


def serve(panel: Panel, pending: int, **queues: tuple[str, ...]) -> None:
    """Let each queue be served by these pools, and so many jobs wait in it."""
    items = [
        {"name": name, "counts": {"pending": pending}, "pools": [{"name": one} for one in pools]}
        for name, pools in queues.items()
    ]
    panel.answer("/queues", 200, {"items": items})


def test_a_scale_to_none_names_the_queues_that_nobody_serves_then(panel: Panel) -> None:
    serve(
        panel, 700, letters=("mail",), invoices=("mail",), both=("mail", "media"), film=("media",)
    )
    page = panel.open(MAIL_1, MEDIA_1, *SYSTEM)
    text = ask(panel, "mail", 0)
    two = " Then nobody runs the jobs of queues letters and invoices: 1,400 jobs wait there."
    expect(text).to_have_text(GOES + two + LASTS)
    panel.workers = [MAIL_1, worker("media-1", "media", **DRAINED), *SYSTEM]
    three = "of queues letters, invoices and both: 2,100 jobs wait there."
    expect(text).to_contain_text(three)
    page.keyboard.press("Escape")


def test_the_number_of_waiting_jobs_in_an_open_question_follows(panel: Panel) -> None:
    serve(panel, 2, letters=("mail",))
    page = panel.open(MAIL_1, *SYSTEM)
    text = ask(panel, "mail", 0)
    expect(text).to_contain_text("letters: 2 jobs wait there.")
    serve(panel, 7, letters=("mail",))
    expect(text).to_contain_text("letters: 7 jobs wait there.")
    page.keyboard.press("Escape")
    panel.unfold("mail-1").locator("[data-action=drain]").click()
    expect(text).to_contain_text("letters: 7 jobs wait there.")
    serve(panel, 1, letters=("mail",))
    expect(text).to_contain_text("letters: 1 job waits there.")
    panel.answer("/queues", 503, {"detail": "busy"})
    page.wait_for_event("requestfinished", lambda one: one.url.endswith("/queues"))
    expect(text).to_contain_text("letters: 1 job waits there.")
    page.keyboard.press("Escape")


def test_nothing_is_said_of_queues_that_another_pool_serves(panel: Panel) -> None:
    serve(panel, 3, both=("mail", "media"), film=("media",))
    page = panel.open(MAIL_1, MEDIA_1, *SYSTEM)
    text = ask(panel, "mail", 0)
    expect(text).to_have_text(GOES + LASTS)
    panel.workers = [MAIL_1, leaving("media-1", "media"), *SYSTEM]
    one = " Then nobody runs the jobs of queue both: 3 jobs wait there."
    expect(text).to_have_text(GOES + one + LASTS)
    page.keyboard.press("Escape")


def test_a_scale_that_leaves_only_drained_workers_leaves_nobody(panel: Panel) -> None:
    serve(panel, 0, letters=("mail",))
    drained, second = worker("mail-1", "mail", **DRAINED), worker("mail-2", "mail")
    page = panel.open(drained, second, *SYSTEM)
    text = ask(panel, "mail", 1)
    expect(text).to_contain_text("will end: mail-2.")
    expect(text).to_contain_text("Then nobody runs the jobs of queue letters. This lasts")
    panel.workers = [MAIL_1, second, *SYSTEM]
    expect(text).not_to_contain_text("nobody")
    page.keyboard.press("Escape")
    panel.workers = [drained, *SYSTEM]
    expect(panel.row("mail-2")).to_have_count(0)
    expect(page.get_by_label("Workers of pool mail")).to_have_value("1")
    text = ask(panel, "mail", 2)
    expect(text).to_have_text("1 worker more will start." + LASTS)
    page.keyboard.press("Escape")


def test_a_pool_that_another_host_has_too_still_runs_its_jobs(panel: Panel) -> None:
    serve(panel, 1, letters=("mail",))
    here, there = [MAIL_1, *SYSTEM], [{**one, "host": "host-2"} for one in (MAIL_1, *SYSTEM)]
    page = panel.open(*here, *there)
    page.get_by_label("Workers of pool mail").first.fill("0")
    page.get_by_label("Scale pool mail").first.click()
    text = page.locator("#confirm-text")
    expect(text).to_have_text(GOES + LASTS)
    other = {**MEDIA_1, "host": "host-2"}
    panel.workers = [*here, other, *there[1:]]  # what it serves is not known here
    unless = "the jobs of queue letters, unless another host does: 1 job waits there."
    expect(text).to_contain_text(unless)
    page.keyboard.press("Escape")


def test_a_drain_of_the_last_worker_names_them_too(panel: Panel) -> None:
    serve(panel, 5, letters=("mail",), both=("mail", "media"))
    page = panel.open(MAIL_1, MEDIA_1, *SYSTEM)
    panel.unfold("mail-1").locator("[data-action=drain]").click()
    text = page.locator("#confirm-text")
    nobody = "Then nobody runs the jobs of queue letters: 5 jobs wait there."
    expect(text).to_contain_text(nobody)
    failing = worker("mail-1", "mail", state="backoff", pid=None)
    panel.workers = [failing, MEDIA_1, *SYSTEM]
    none = "It has no process, and will have none until it is started, or Orpheus is restarted."
    expect(text).to_have_text(f"{none} {nobody}")
    panel.workers = [failing, worker("mail-2", "mail"), MEDIA_1, *SYSTEM]
    expect(text).not_to_contain_text("nobody")
    page.keyboard.press("Escape")
    panel.row("mail-1").locator(".more button").click()
    panel.unfold("media-1").locator("[data-action=restart]").click()
    expect(text).not_to_contain_text("nobody")
    page.keyboard.press("Escape")
