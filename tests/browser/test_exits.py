"""The exits of a slot, in its open details."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import expect

from orpheus.shared.domain.words import ago
from tests.browser.kept_panel import OpenPanel, kept_panel, lent_panel  # noqa: F401 - fixtures
from tests.browser.panel import SYSTEM, worker
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


def test_of_several_exits_between_two_messages_open_details_show_all(
    panel: OpenPanel,
) -> None:
    first, *between, latest = (killed(at) for at in ("05.000", "06.000", "07.000", "08.000"))
    panel.answer("/workers", 200, {"items": [worker("default-1", recent_exits=[first])]})
    panel.open(worker("default-1", restarts=1, last_exit=first), *SYSTEM)
    exits = panel.unfold("default-1").locator(".exits > li")
    expect(exits).to_have_count(1)
    now = worker("default-1", recent_exits=[latest, *reversed(between), first])
    panel.answer("/workers", 200, {"items": [now]})
    panel.workers = [worker("default-1", restarts=4, last_exit=latest), *SYSTEM]
    expect(exits).to_have_count(4)


def test_an_exit_names_the_jobs_that_were_running(panel: OpenPanel) -> None:
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


def test_a_slot_without_a_known_exit_says_since_when_and_an_orderly_end_lacks_nothing(
    panel: OpenPanel,
) -> None:
    ended = killed("05.000") | {"reason": "drained", "signal": None, "code": 0, "failed": False}
    panel.answer("/workers", 200, {"items": []})
    panel.open(
        worker("default-1", uptime_s=25.0),
        worker("default-2", restarts=1, last_exit=ended),
        *SYSTEM,
    )
    exits = panel.unfold("default-1").locator(".exits")
    expect(exits).to_have_text("No exit of this slot is known since it was started 25 s ago.")
    other = panel.unfold("default-2").locator(".exits")
    expect(other).to_contain_text("drained (code 0)")
    expect(other).not_to_contain_text("evidence")
    order = "the latest, newest first"
    expect(panel.page.locator("#more-default-1").get_by_text(order)).to_be_hidden()
    expect(panel.page.locator("#more-default-2").get_by_text(order)).to_be_visible()


def test_a_silent_worker_and_one_that_has_prefetched_say_so(panel: OpenPanel) -> None:
    panel.answer("/jobs?status=in_progress*", 200, {"items": [], "next_cursor": None})
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
    expect(fold.get_by_role("heading").first).to_have_text("Holds 2 jobs, runs 1 at once")
    fold.locator("[data-action=drain]").click()
    dialog = panel.page.locator("#confirm")
    expect(dialog).to_contain_text("It runs resize 12 and finishes it first.")
    expect(dialog).to_contain_text("stays down until it is started, or Orpheus is restarted.")


def test_a_worker_that_failed_lately_says_why_and_when_though_it_is_ready_again(
    panel: OpenPanel,
) -> None:
    ago = datetime.now(UTC) - timedelta(minutes=3.5)  # the page may open late, its clock be behind
    grown = killed("00.000") | {
        "reason": "it has grown to 185 MiB; killed",
        "at": ago.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    planned = grown | {"reason": "replaced: reload", "failed": False}
    old = grown | {"at": (ago - timedelta(minutes=8)).isoformat().replace("+00:00", "Z")}
    panel.open(
        worker("default-1", restarts=4, last_exit=planned, last_failure=grown),
        worker("default-2", restarts=4, last_exit=grown, last_failure=grown, runs_alone=True),
        worker("default-3", restarts=4, last_exit=old, last_failure=old),
        worker("default-4", restarts=4, last_exit=planned),
        *SYSTEM,
    )
    told = "failed 3 min ago: it has grown to 185 MiB; killed"
    why = [panel.row(f"default-{n}").locator(".state small") for n in range(1, 5)]
    expect(why[0]).to_have_text(told)
    expect(panel.row("default-1").locator(".restarts")).to_have_attribute("title", told)
    expect(why[1]).to_have_text(f"runs alone, after a crash; {told}")
    expect(why[2]).to_have_text("idle")
    expect(why[3]).to_have_text("idle")


def test_a_program_that_starts_again_after_a_failure_says_so_before_it_is_ready(
    panel: OpenPanel,
) -> None:
    at = (datetime.now(UTC) - timedelta(minutes=3.5)).isoformat(timespec="milliseconds")
    failed = {"at": at.replace("+00:00", "Z"), "reason": "exit code 3"}
    starting = {"role": "program", "state": "starting", "reason": "not ready yet"}
    panel.open(
        worker("web-1", "web", restarts=2, last_failure=failed, **starting),
        worker("web-2", "web", **starting),
        *SYSTEM,
    )
    row = panel.row("web-1")
    expect(row.locator(".state small")).to_have_text("not ready yet; failed 3 min ago: exit code 3")
    expect(row).to_have_class(re.compile("failed-lately"))
    expect(panel.row("web-2").locator(".state small")).to_have_text("not ready yet")


def test_a_worker_that_runs_a_job_alone_says_so_although_it_has_more_places(
    panel: OpenPanel,
) -> None:
    panel.answer("/jobs?status=in_progress*", 200, {"items": [], "next_cursor": None})
    panel.open(
        worker("media-1", "media", job=JOB, jobs_in_progress=2, places=4, runs_alone=True),
        *SYSTEM,
    )
    row = panel.row("media-1")
    expect(row.locator(".state small")).to_have_text("runs alone, after a crash")
    expect(row.locator(".now")).to_contain_text("+ 1 next")
    fold = panel.unfold("media-1")
    expect(fold.locator(".why")).to_contain_text(
        "It has 4 places, but runs one job alone: that job was running when its worker crashed"
    )
    expect(fold.get_by_role("heading").first).to_have_text("Holds 2 jobs, runs 1 alone")
    fold.locator("[data-action=drain]").click()
    dialog = panel.page.locator("#confirm")
    expect(dialog).to_contain_text("It runs resize 12 and finishes it first.")


def test_the_page_says_as_the_server_does_how_long_ago_something_was(panel: OpenPanel) -> None:
    page = panel.open(worker("default-1"), *SYSTEM)
    seconds = [-7200, -60, -59, -8, -5.1, -5, 0, 0.9, 1, 9, 44, 59, 60, 3599, 2 * 86400]
    told = page.evaluate(
        """async (seconds) => {
            const beside = document.querySelector("script[type=module]").src;
            return seconds.map((await import(new URL("words.js", beside))).ago);
        }""",
        seconds,
    )
    # Only from an hour on, the page is more exact: "2 d 0 h ago".
    assert [re.sub(r" (00 min|0 h)", "", text) for text in told] == [ago(one) for one in seconds]
