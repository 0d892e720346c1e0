"""The page of the job types, as an operator uses it."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard


def test_a_type_shows_what_its_attempts_cost_and_what_it_takes(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    for payload in ({"n": 1}, {"n": 2}):
        system.wait_for_job(system.submit("sum_range", payload))
    page = lasting_dashboard.open("/ui/types")
    row = page.locator("#type-sum_range")
    expect(row.locator(".ended")).to_have_text(re.compile(r"^100 % of \d+ succeeded"))
    expect(row.locator(".times").first).to_have_text(re.compile(r"^p50\d.*p95\d.*p99\d"))
    fields = page.get_by_label("Fields of sum_range")
    expect(fields).to_have_text("1 field")
    fields.click()
    expect(page.locator("#fields-sum_range")).to_contain_text("integer · 0 to 4000000000")
    expect(page.locator("#fields-sum_range")).to_contain_text("queue default, at most 3 retries")
    fields.click()
    expect(page.locator("#fields-sum_range")).to_be_hidden()


def test_a_type_leads_to_its_failures_and_to_a_form(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    system.wait_for_job(system.submit("flaky", {"failures": 1, "permanent": True}))
    page = lasting_dashboard.open("/ui/types#type-flaky")
    expect(page.locator("#type-flaky")).to_have_class("target")
    page.locator("#type-flaky .failed a").click()
    rows: Any = page.locator("#rows tr[data-id]")
    expect(rows.first).to_have_attribute("data-status", "failed")
    assert page.url.endswith("/?type=flaky&status=failed#jobs")
    page.go_back()
    page.get_by_label("Submit a flaky job").click()
    expect(page.locator("#payload-failures")).to_be_visible()
