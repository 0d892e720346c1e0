"""What the question before a scale promises: what then happens to each slot, by its number."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.kept_panel import kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.panel import SYSTEM, Panel, worker
from tests.browser.test_scaling import configured, leaving
from tests.browser.test_workers import JOB

CLOSED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
"""A form takes back its number after the dialog was closed: what is typed before that is lost."""
LASTS = " This lasts until the number in the configuration changes or the supervisor restarts."


def ask(panel: Panel, name: str, workers: int, what: str = "pool") -> Any:
    noun = "Workers of pool" if what == "pool" else "Instances of program"
    expect(panel.page.locator("#confirm")).to_be_hidden()
    panel.page.evaluate(CLOSED)
    panel.page.get_by_label(f"{noun} {name}", exact=True).fill(str(workers))
    panel.page.get_by_label(f"Scale {what} {name}", exact=True).click()
    return panel.page.locator("#confirm-text")


def test_a_worker_that_still_finishes_starts_again_only_after_it(panel: Panel) -> None:
    page = panel.open(leaving("media-1", "media"), leaving("media-2", "media"), *SYSTEM)
    first = "media-1 still finishes its job, and starts again after it."
    text = ask(panel, "media", 1)
    expect(text).to_have_text(first + LASTS)
    panel.workers = [*SYSTEM, worker("default-1")]
    expect(text).to_have_text("1 worker more will start." + LASTS)
    panel.workers = [leaving("media-1", "media"), leaving("media-2", "media"), *SYSTEM]
    expect(text).to_have_text(first + LASTS)
    page.keyboard.press("Escape")
    both = "media-1 and media-2 still finish their jobs, and start again after them."
    expect(ask(panel, "media", 5)).to_have_text(f"3 workers more will start. {both}{LASTS}")
    page.keyboard.press("Escape")


def test_a_slot_without_a_process_goes_at_once_and_no_worker_ends(panel: Panel) -> None:
    limit = {"items": [], "pools": [configured("wide", 3)], "programs": []}
    panel.answer("/workers?samples=true", 200, limit)
    empty = worker("wide-3", "wide", state="down", pid=None, order="drained")
    page = panel.open(worker("wide-1", "wide"), worker("wide-2", "wide"), empty, *SYSTEM)
    text = ask(panel, "wide", 2)
    expect(text).to_have_text(f"wide-3 has no process, and goes at once.{LASTS}")
    page.keyboard.press("Escape")
    text = ask(panel, "wide", 1)
    expect(text).to_have_text(
        "1 worker will end: wide-2. Each finishes its job first. "
        "A job that still runs after 1 min 10 s is released, and starts again. "
        f"wide-3 has no process, and goes at once.{LASTS}"
    )
    page.keyboard.press("Escape")


def test_the_workers_that_end_are_named_with_how_many_jobs_they_run(panel: Panel) -> None:
    busy = {"job": JOB, "jobs_in_progress": 9, "places": 8}
    page = panel.open(
        worker("wide-1", "wide"),
        worker("wide-2", "wide", **busy),
        worker("wide-3", "wide", job=JOB, jobs_in_progress=1, places=8),
        *SYSTEM,
    )
    expect(ask(panel, "wide", 1)).to_have_text(
        "2 workers will end: wide-2 and wide-3. "
        f"Each finishes its job first: wide-2 runs 8 jobs, wide-3 runs resize 12.{LASTS}"
    )
    page.keyboard.press("Escape")


def test_the_instances_of_a_program_that_end_are_named(panel: Panel) -> None:
    slots = [worker(f"tick-{n}", "tick", role="program") for n in range(1, 9)]
    page = panel.open(*slots, *SYSTEM)
    text = ask(panel, "tick", 7, "program")
    expect(text).to_have_text(f"1 instance will end: tick-8.{LASTS}")
    page.keyboard.press("Escape")
    text = ask(panel, "tick", 1, "program")
    named = "tick-2, tick-3, tick-4, tick-5, tick-6 and 2 more"
    expect(text).to_have_text(f"7 instances will end: {named}.{LASTS}")
    panel.workers = [
        slots[0],
        worker("tick-2", "tick", role="program", leaves=True, state="stopping"),
        *SYSTEM,
    ]
    page.keyboard.press("Escape")
    expect(panel.row("tick-8")).to_have_count(0)
    text = ask(panel, "tick", 2, "program")
    expect(text).to_have_text(f"tick-2 still ends, and starts again after it.{LASTS}")
    page.keyboard.press("Escape")


def test_a_much_larger_number_says_what_it_would_take(panel: Panel) -> None:
    page = panel.open(worker("wide-1", "wide"), worker("wide-2", "wide"), *SYSTEM)
    text = ask(panel, "wide", 21)
    expect(text).to_have_text(f"19 workers more will start.{LASTS}")
    page.keyboard.press("Escape")
    text = ask(panel, "wide", 500)
    expect(text).to_have_text(
        "498 workers more will start. That is 250 times as many as now: 498 processes more, "
        f"which take 22 GiB more if each takes what one takes now, 45 MiB.{LASTS}"
    )
    panel.workers = [worker("wide-1", "wide", rss_bytes=None), *SYSTEM]
    expect(text).to_contain_text("500 times as many as now: 499 processes more. This lasts")
    page.keyboard.press("Escape")
    panel.workers = [leaving("wide-1", "wide"), *SYSTEM]
    expect(page.get_by_label("Workers of pool wide")).to_have_value("0")
    text = ask(panel, "wide", 400)
    expect(text).to_have_text(re.compile("^399 workers more will start. That is 399 processes"))
    page.keyboard.press("Escape")
