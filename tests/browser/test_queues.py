"""The page of the queues, as an operator uses it."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard


def row(dashboard: Dashboard, queue: str) -> Any:
    return dashboard.page.locator(f"#queue-{queue}")


def test_a_queue_is_paused_with_a_reason_and_resumed(lasting_dashboard: Dashboard) -> None:
    page, system = lasting_dashboard.page, lasting_dashboard.system
    system.client.post("/queues/mine/pause")
    system.submit("sum_range", {"n": 1}, queue="mine")
    system.client.post("/queues/mine/resume")
    lasting_dashboard.open("/ui/queues")
    mine = row(lasting_dashboard, "mine")  # no other test has jobs in it
    expect(mine.locator("[data-status=done]")).to_have_text("1done")
    pause = page.get_by_label("Pause mine", exact=True)
    pause.click()
    expect(page.locator("#confirm-reason")).to_be_focused()
    page.keyboard.type("the server's disk is full")
    expect(page.locator("#confirm-curl")).to_contain_text("disk is full")
    page.keyboard.press("Enter")
    expect(mine.locator(".paused")).to_have_text(
        re.compile(r"^paused by api:127\.0\.0\.1 .*: the server's disk is full$")
    )
    resume = page.get_by_label("Resume mine", exact=True)
    expect(resume).to_be_focused()
    for width in (1280, 800, 360):  # the reason has the whole width of the row
        page.set_viewport_size({"width": width, "height": 740})
        reason, whole = mine.locator(".paused").bounding_box(), mine.bounding_box()
        assert reason["width"] > 0.99 * whole["width"], width

    system.submit("sum_range", {"n": 1}, queue="mine")
    expect(mine.locator("[data-status=pending]")).to_have_text("1pending")
    expect(mine.locator(".oldest")).to_have_text(re.compile(r"^\d+ s$"))
    expect(mine.locator(".backlog")).to_contain_text("1 due")
    resume.click()
    page.locator("#confirm-yes").click()
    expect(mine.locator(".paused")).to_be_hidden()
    expect(mine.locator("[data-status=done]")).to_have_text("2done")
    expect(mine.locator(".backlog")).to_have_text("empty")
    assert lasting_dashboard.never_reloaded()
