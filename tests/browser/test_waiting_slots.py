"""Slots that are not ready: what each waits for, until when, and which are not missed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.kept_panel import kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.panel import SYSTEM, Panel, worker


def in_50_minutes() -> str:
    return (datetime.now(UTC) + timedelta(minutes=50)).isoformat(timespec="milliseconds")


def test_a_slot_that_waits_for_another_is_said_to_start_by_itself(panel: Panel) -> None:
    panel.open(worker("web-1", "web", state="down", pid=None, waits="waits for db-1"), *SYSTEM)
    said = panel.unfold("web-1").locator(".why")
    expect(said).to_have_text("It waits for db-1, and starts by itself after that.")
    failed = {"state": "backoff", "waits": "waits for db-1", "why": "exit code 3"}
    panel.workers = [worker("web-1", "web", pid=None, **failed), *SYSTEM]
    expect(said).to_have_text(
        "It waits for db-1, and starts by itself after that. Why: exit code 3"
    )


def test_a_program_that_is_not_ready_says_what_it_waits_for_and_when_it_is_stopped(
    panel: Panel,
) -> None:
    waits = "not ready yet (http://127.0.0.1:9/health: connection refused)"
    until = in_50_minutes()
    starting = {"state": "starting", "reason": waits, "until": until}
    panel.open(worker("web-1", "web", role="program", **starting), *SYSTEM)
    stopped = r"is stopped in \d+ min.* if it is not ready by then"
    row = panel.row("web-1").locator(".state small")
    expect(row).to_have_text(re.compile(f"^{re.escape(waits)}; {stopped}$"))
    said = rf"^Its process has started and is {re.escape(waits)}\. It {stopped}\.$"
    expect(panel.unfold("web-1").locator(".why")).to_have_text(re.compile(said))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("backoff", r"It is down and is started in \d+ min.*\. You can also start it now\."),
        ("fatal", r"It failed\. One try is made .*, the next in \d+ min\. .*"),
    ],
)
def test_when_a_slot_is_started_is_not_said_again_as_the_cause(
    panel: Panel, state: str, said: str
) -> None:
    until = in_50_minutes()
    panel.open(worker("a-1", "a", state=state, pid=None, reason="exit code 7", until=until))
    why = panel.unfold("a-1").locator(".why")
    expect(why).to_have_text(re.compile(f"^{said} Why: exit code 7$"))


def test_a_program_that_has_ended_as_meant_is_not_missed(panel: Panel) -> None:
    kept = 'exited with code 0; restart = "on-failure" keeps it down until it is restarted'
    once: dict[str, Any] = {"role": "program", "state": "down", "pid": None}
    panel.open(
        worker("web-1", "web", role="program"),
        worker("once-1", "once", reason=kept, ended=True, **once),
        worker("bad-1", "bad", reason=kept, degraded=True, **once),
        worker("off-1", "off", order="drained", **once),
        *SYSTEM,
    )
    told = "1 of 3 programs ready · 1 program ended as meant"
    expect(panel.page.locator("#workers-summary")).to_have_text(told)
