"""The exits of a slot, in its open details."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.panel import SYSTEM, Panel, worker
from tests.browser.test_workers import JOB


def killed(at: str) -> dict[str, Any]:
    return {
        "at": f"2026-01-02T03:04:{at}Z",
        "reason": "killed by SIGKILL",
        "signal": "SIGKILL",
        "code": None,
        "evidence": None,
        "uptime_s": 1.2,
        "out_of_memory": None,
        "failed": True,
        "output": None,
        "jobs": [],
    }


def test_an_exit_names_the_jobs_that_were_running(panel: Panel) -> None:
    panel.answer("/workers", 200, {"items": []})
    panel.open(
        worker("default-1", restarts=1, last_exit=killed("05.000") | {"jobs": [12]}),
        worker("default-2", restarts=1, last_exit=killed("05.000") | {"jobs": list(range(1, 12))}),
        worker("default-3", restarts=1, last_exit=killed("05.000")),
        *SYSTEM,
    )
    one = panel.unfold("default-1").locator(".exits > li")
    expect(one).to_contain_text("killed by SIGKILL, while it ran job 12")
    expect(one.get_by_role("link")).to_have_attribute("href", "/ui/jobs/12")
    many = panel.unfold("default-2").locator(".exits > li")
    expect(many).to_contain_text("while it ran jobs 1 2 3 4 5 6 7 8 and 3 others")
    expect(panel.unfold("default-3").locator(".exits > li")).not_to_contain_text("while it ran")


def test_a_silent_worker_and_one_that_has_prefetched_say_so(panel: Panel) -> None:
    panel.open(
        worker("default-1", heartbeat_age_s=12.0, silent=True),
        worker("default-3", heartbeat_age_s=12.0),  # its configuration allows for it
        worker("default-2", job=JOB, jobs_in_progress=2, places=1),
        *SYSTEM,
    )
    state = panel.row("default-1").locator(".state")
    expect(state).to_contain_text("ready, silent")
    expect(state).to_contain_text("no heartbeat for 12 s")
    expect(panel.row("default-1")).to_have_attribute("data-state", "degraded")
    expect(panel.row("default-3")).to_have_attribute("data-state", "ready")
    expect(panel.page.locator("#workers-summary")).to_contain_text("1 silent")
    expect(panel.page.locator("#sentence")).to_contain_text("2 of 3 workers ready, 1 silent")
    expect(panel.row("default-2").locator(".now")).to_contain_text("+ 1 next")
    fold = panel.unfold("default-2")
    expect(fold).to_contain_text("Holds 2 jobs, runs at most 1 at once.")
    fold.locator("[data-action=drain]").click()
    dialog = panel.page.locator("#confirm")
    expect(dialog).to_contain_text("It runs resize 12 and finishes it first")
    expect(dialog).to_contain_text("stays down until it is started, or Orpheus is restarted.")
