"""The page of the schedules, as an operator uses it."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard


def row(dashboard: Dashboard, name: str) -> Any:
    return dashboard.page.locator(f"#schedule-{name}")


def test_a_schedule_is_run_now_and_shows_how_that_ended(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    earlier = system.client.post("/schedules/often/run").json()["id"]
    system.wait_for_job(earlier)
    page = lasting_dashboard.open("/ui/schedules")
    page.get_by_label("Run often now", exact=True).click()
    page.keyboard.type("to try it")
    page.locator("#confirm-yes").click()
    expect(page.locator("#result")).to_contain_text("often: submitted job")
    last = row(lasting_dashboard, "often").locator(".last")
    expect(last).to_contain_text(re.compile(r"failed in \d"))
    expect(last.locator(".bad")).to_have_text("PermanentError")
    how = re.compile(rf"^failed in \d.* \(PermanentError\), .+ ago, job {earlier}$")
    mark = last.get_by_role("link", name=how)
    mark.click()
    expect(page.locator("#type")).to_have_text("echo")
    page.go_back()
    last.get_by_role("link", name="all runs").click()
    expect(page.locator(f"#rows tr[data-id='{earlier}']")).to_be_visible()
    entry = next(one for one in system.get("/audit")["items"] if one["reason"])
    assert (entry["action"], entry["reason"]) == ("run", "to try it")


def test_a_schedule_of_a_program_appears_and_says_what_it_skips(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.open("/ui/schedules")
    put = {"every": 1, "type": "sleep", "payload": {"seconds": 4}, "overlap": "skip"}
    client = lasting_dashboard.system.client
    assert client.put("/schedules/slow", json=put).status_code == 201
    slow = row(lasting_dashboard, "slow")
    expect(slow.locator(".name")).to_contain_text("put by a program")
    expect(slow.locator(".when")).to_contain_text("skips what would overlap")
    expect(slow.locator(".last")).to_contain_text("skipped")
    assert client.delete("/schedules/slow").status_code == 204
    expect(slow).to_have_count(0)
    assert page.locator("#problem").is_hidden()


def test_a_schedule_is_paused_and_resumed(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open("/ui/schedules")
    next_runs = row(lasting_dashboard, "nightly").locator(".next")
    page.get_by_label("Pause nightly", exact=True).click()
    page.keyboard.type("holidays")
    page.locator("#confirm-yes").click()
    expect(next_runs.locator(".paused")).to_have_text(
        re.compile(r"^paused by api:127\.0\.0\.1 .+: holidays$")
    )
    expect(next_runs.locator("time:visible")).to_have_count(1)  # when it was paused
    page.get_by_label("Resume nightly", exact=True).click()
    page.locator("#confirm-yes").click()
    expect(next_runs.locator(".all time")).to_have_count(5)
    expect(next_runs.locator(".paused")).to_have_count(0)
