"""The counts above the list of jobs: those of its queue; each adds its status to the filter."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import row, rows, wait_submitted


def by_status(page: Page, status: str) -> Any:
    return page.locator(f"#by-status [data-status={status}]")


def test_above_the_list_of_a_queue_stands_how_many_it_has_and_a_click_keeps_the_filter(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    name, tag = "by-status", "counted"
    done = system.submit("sum_range", {"n": 1}, queue=name, tags=[tag])
    system.wait_for_job(done)
    system.client.post(f"/queues/{name}/pause")
    waiting = [wait_submitted(system, name, tag) for _ in range(2)]
    page = lasting_dashboard.open(f"/ui/jobs?queue={name}&tag={tag}")
    expect(rows(page)).to_have_count(3)
    for status, number in (("pending", 2), ("done", 1), ("failed", 0), ("in_progress", 0)):
        expect(by_status(page, status)).to_have_text(
            re.compile(rf"^\s*{number}\s+{status.replace('_', ' ')}\s*$")
        )
    by_status(page, "done").get_by_role("link").click()
    page.wait_for_url(f"**/ui/jobs?status=done&queue={name}&tag={tag}")
    expect(rows(page)).to_have_count(1)
    expect(row(page, done)).to_be_visible()
    expect(by_status(page, "pending").locator("b")).to_have_text("2")
    by_status(page, "pending").get_by_role("link").click()
    expect(rows(page)).to_have_count(2)
    expect(row(page, waiting[0])).to_be_visible()
    chosen = by_status(page, "pending").get_by_role("link")
    expect(chosen).to_have_attribute("aria-current", "true")
    chosen.click()
    page.wait_for_url(f"**/ui/jobs?queue={name}&tag={tag}")
    expect(rows(page)).to_have_count(3)
