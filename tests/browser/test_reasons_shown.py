"""The reason beside a state in the panel of workers has the room that is free, at every width."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.kept_panel import kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.layout import overprints
from tests.browser.panel import SYSTEM, Panel, worker

LONG_POOL = "customer_invoices_of_the_northern_region_rendered_nightly_now"
KILLED = "killed by SIGKILL, not for memory: somebody sent it"
SILENT = "no heartbeat for 15 s, stopped by a signal, is continued soon"
CUT = """(reason) => {
  const { scrollWidth, clientWidth, scrollHeight, clientHeight } = reason;
  const isCut = scrollWidth > clientWidth || scrollHeight > clientHeight + 1;
  return isCut && `${reason.textContent}: ${clientWidth}x${clientHeight}`;
}"""
LINES = "(one) => one.clientHeight / parseFloat(getComputedStyle(one).lineHeight)"


def troubled(several: int) -> list[dict[str, Any]]:
    at = (datetime.now(UTC) - timedelta(minutes=3)).isoformat().replace("+00:00", "Z")
    failed: dict[str, Any] = {"last_failure": {"at": at, "reason": KILLED}}
    short: dict[str, Any] = {"last_failure": {"at": at, "reason": "exit code 7"}}
    job: dict[str, Any] = {
        "id": 41,
        "type": "render",
        "started_at": at,
        "progress": 0.4,
        "message": "page 7",
    }
    running: dict[str, Any] = {"job": job, "jobs_in_progress": 1, "places": 1}
    idle: dict[str, Any] = {"jobs_in_progress": 0, "places": 1}
    return [
        worker("default-1", **idle, **failed),
        worker("default-2", **idle, degraded=True, reason=SILENT),
        worker("default-3", **running, **short),
        worker(f"{LONG_POOL}-1", LONG_POOL, **idle),
        *(worker(f"many-{n}", "many", **idle) for n in range(several)),
        *SYSTEM,
    ]


@pytest.mark.parametrize("several", [0, 16])
def test_no_reason_is_cut_or_lies_over_what_stands_beside_it_and_without_a_job_it_is_one_line(
    panel: Panel, several: int
) -> None:
    page = panel.open(*troubled(several))
    reasons = {"default-1": KILLED, "default-2": SILENT, "default-3": "exit code 7"}
    for width in (360, 768, 1024, 1280, 1440, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        for slot, words in reasons.items():
            reason = panel.row(slot).locator(".state small")
            expect(reason).to_contain_text(words)
            assert not reason.evaluate(CUT), (slot, width)
            if not several and slot != "default-3" and width >= 1440:
                assert reason.evaluate(LINES) < 1.5, (slot, width)  # it has no job
        assert overprints(page) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
