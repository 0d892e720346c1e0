"""What the page says of a pool that is scaled down while its workers finish, and the questions."""

import re
import time
from typing import Any

from playwright.sync_api import expect

from orpheus.shared.moments import rfc3339
from tests.browser.kept_panel import kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.panel import SYSTEM, Panel, worker
from tests.browser.test_workers import JOB


def by(reason: str) -> dict[str, str]:
    """Who has scaled it, and when: half an hour from where the page tells another time."""
    a_day_ago_s = time.time() - 24.5 * 3_600
    return {"by": "cli:ada", "reason": reason, "at": rfc3339(round(a_day_ago_s * 1000))}


def leaving(slot: str, pool: str, reason: str | None = "cost") -> dict[str, Any]:
    """A worker that finishes its job because fewer are wanted."""
    return worker(
        slot,
        pool,
        state="draining",
        job=JOB,
        order="scaled_away",
        leaves=True,
        scaled=reason and by(reason),
    )


def configured(name: str, workers: int, reason: str | None = None) -> dict[str, Any]:
    return {
        "host": "host-1",
        "name": name,
        "workers": workers,
        "finishes_within_s": 70.0,
        "scaled": reason and by(reason),
    }


def test_a_pool_that_is_no_more_in_the_configuration_goes_with_its_last_worker(
    panel: Panel,
) -> None:
    kept, gone = configured("kept", 0), configured("gone", 1)
    answer = {"items": [], "pools": [kept, gone], "programs": []}
    panel.answer("/workers?samples=true", 200, answer)
    page = panel.open(worker("gone-1", "gone"), *SYSTEM)
    forms = page.locator("#pools form b")
    expect(forms).to_have_text(["gone", "kept"])
    answer["pools"] = [kept]
    panel.workers = [leaving("gone-1", "gone", None), *SYSTEM]
    expect(page.locator("#pools form").first).to_contain_text("0 workers wanted, 1 still finishes")
    panel.workers = SYSTEM
    expect(forms).to_have_text(["kept"])


def test_a_pool_tells_how_many_of_its_workers_are_drained(panel: Panel) -> None:
    drained = {"state": "down", "pid": None, "order": "drained"}
    one, two = worker("mail-1", "mail", **drained), worker("mail-2", "mail", **drained)
    page = panel.open(one, *SYSTEM)
    hint = page.locator("#pools form .hint:first-of-type")
    expect(hint).to_have_text("1 worker, drained")
    panel.workers = [one, worker("mail-2", "mail"), *SYSTEM]
    expect(hint).to_have_text("2 workers, 1 drained")
    panel.workers = [one, two, *SYSTEM]
    expect(hint).to_have_text("2 workers, all drained")
    panel.workers = [one, leaving("mail-2", "mail"), *SYSTEM]
    expect(hint).to_have_text("1 worker wanted, 1 still finishes, 1 drained")


def test_a_pool_has_the_number_that_is_wanted_while_its_workers_finish(panel: Panel) -> None:
    pools = [configured("long", 2, "too many"), configured("wide", 1, "cost")]
    panel.answer("/workers?samples=true", 200, {"items": [], "pools": pools, "programs": []})
    page = panel.open(
        worker("long-1", "long"), leaving("long-2", "long"), leaving("wide-1", "wide"), *SYSTEM
    )
    hints = page.locator("#pools form .hint:first-of-type")
    told = "wanted, 1 still finishes, the configuration says"
    by_ada = "scaled by cli:ada 1 d 0 h ago"
    expect(hints.nth(0)).to_have_text(re.compile(f"^1 worker {told} 2: {by_ada} .too many.$"))
    expect(hints.nth(1)).to_have_text(re.compile(f"^0 workers {told} 1: {by_ada} .cost.$"))
    expect(page.get_by_label("Workers of pool wide")).to_have_value("0")
    page.get_by_label("Workers of pool wide").fill("1")
    page.get_by_label("Scale pool wide").click()
    expect(page.locator("#confirm-text")).to_contain_text(
        "wide-1 still finishes its job, and starts"
    )
    page.keyboard.press("Escape")
    page.get_by_label("Workers of pool long").fill("0")
    page.get_by_label("Scale pool long").click()
    expect(page.locator("#confirm-text")).to_contain_text("1 worker will end")
    expect(page.locator("#confirm-text")).not_to_contain_text("long-2")
    page.keyboard.press("Escape")
    state = panel.row("long-2").locator(".state small")
    expect(state).to_have_text(re.compile("^scaled away by cli:ada .*: cost$"))


def test_a_later_scale_is_asked_for_at_once(panel: Panel) -> None:
    pool = configured("long", 2)
    answer = {"items": [], "pools": [pool], "programs": []}
    panel.answer("/workers?samples=true", 200, answer)
    page = panel.open(worker("long-1", "long"), leaving("long-2", "long"), *SYSTEM)
    hint = page.locator("#pools form .hint").first
    expect(hint).to_contain_text("1 worker wanted")
    pool["scaled"] = by("night")
    panel.workers = [leaving("long-1", "long"), leaving("long-2", "long"), *SYSTEM]
    expect(hint).to_have_text(re.compile("^0 workers wanted, 2 still finish, .*night.$"))


def test_a_slot_that_is_scaled_away_is_neither_restarted_nor_drained(panel: Panel) -> None:
    page = panel.open(worker("long-1", "long", job=JOB), leaving("long-2", "long", None), *SYSTEM)
    fold = panel.unfold("long-2")
    none = "Its process ends, and none is started in its place"
    for action in ("restart", "drain"):
        button = fold.locator(f"[data-action={action}]")
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_attribute("title", re.compile(f"^It is scaled away. {none}"))
    expect(fold.locator(".why")).to_contain_text("and then stops.")
    panel.unfold("long-1").locator("[data-action=restart]").click()
    text = page.locator("#confirm-text")
    expect(text).to_contain_text("Then long-1 starts again.")
    panel.workers = [leaving("long-1", "long", "night"), *SYSTEM]
    expect(text).to_have_text(
        re.compile(f"^It is scaled away by cli:ada .*: night. {none}: scale long to 1 for that.$")
    )
    expect(page.locator("#confirm-yes")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(panel.page.locator("[id='more-long-1'] [data-action=restart]")).to_have_attribute(
        "aria-disabled", "true"
    )


def test_the_open_question_of_a_scale_follows_who_scales_meanwhile(panel: Panel) -> None:
    pool = configured("default", 6)
    answer = {"items": [], "pools": [pool], "programs": []}
    panel.answer("/workers?samples=true", 200, answer)
    members = [worker(f"default-{n}") for n in range(1, 6)]
    page = panel.open(*members, *SYSTEM)
    text, yes = page.locator("#confirm-text"), page.locator("#confirm-yes")
    page.get_by_label("Workers of pool default").fill("2")
    page.get_by_label("Scale pool default").click()
    expect(text).to_contain_text("3 workers will end")
    pool["scaled"] = by("fewer please")
    ends = [leaving("default-4", "default"), leaving("default-5", "default")]
    panel.workers = [*members[:3], *ends, *SYSTEM]
    expect(text).to_have_text(
        re.compile(
            "^It has 3 workers by now: scaled by cli:ada .* .fewer please.[.] 1 worker will end"
        )
    )
    pool["scaled"] = None
    panel.workers = [*members[:2], *SYSTEM]
    expect(text).to_contain_text("It has 2 workers by now. This is its number already.")
    expect(yes).to_be_disabled()
    panel.workers = [*members, *SYSTEM]
    expect(text).to_have_text(re.compile("^3 workers will end"))
    expect(yes).to_be_enabled()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Workers of pool default")).to_have_value("5")
