"""The page of the queues, as an operator uses it."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard


def row(dashboard: Dashboard, queue: str) -> Any:
    return dashboard.page.locator(f"#queue-{queue}")


def test_a_queue_is_paused_with_a_reason_and_resumed(lasting_dashboard: Dashboard) -> None:
    page, system = lasting_dashboard.page, lasting_dashboard.system
    system.wait_for_job(system.submit("flaky", {"failures": 1, "permanent": True}, queue="mine"))
    lasting_dashboard.open("/ui/queues")
    mine = row(lasting_dashboard, "mine")  # no other test has jobs in it
    expect(mine.locator(".failed")).to_have_text("1")
    expect(mine.locator(".pending")).to_have_text("")
    pause = page.get_by_label("Pause mine", exact=True)
    pause.click()
    expect(page.locator("#confirm-reason")).to_be_focused()
    page.keyboard.type("the server's disk is full")
    page.keyboard.press("Enter")
    expect(mine.locator(".paused")).to_have_text(
        re.compile(r"^paused by api:127\.0\.0\.1 .*: the server's disk is full$")
    )
    resume = page.get_by_label("Resume mine", exact=True)
    expect(resume).to_be_focused()
    job = system.submit("sum_range", {"n": 1}, queue="mine")
    expect(mine.locator(".pending")).to_have_text("1")
    expect(mine.locator(".oldest")).to_have_text(re.compile(r"^\d+ s$"))
    resume.click()
    page.locator("#confirm-yes").click()
    expect(mine.locator(".paused")).to_have_count(0)
    system.wait_for_job(job)
    expect(mine.locator(".pending")).to_have_text("")
    assert lasting_dashboard.never_reloaded()
    mine.locator(".failed a").click()
    expect(page.locator("#rows tr[data-id]")).to_have_count(1)
    system.client.post("/queues/mine/pause")
    lasting_dashboard.open("/ui/queues")
    expect(page.locator("#rows tr").first).to_have_id("queue-mine")  # trouble comes first
