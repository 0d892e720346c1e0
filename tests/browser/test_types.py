"""The page of the job types, as an operator uses it."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import intercept

TYPES = "http://*/types"


def test_a_type_shows_what_its_attempts_cost_and_what_it_takes(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    for payload in ({"n": 1}, {"n": 2}):
        system.wait_for_job(system.submit("sum_range", payload))
    system.wait_for_job(system.submit("publish", {"pages": 1}))
    page = lasting_dashboard.open("/ui/types")
    row = page.locator("#type-sum_range")
    expect(row.locator(".run").first).to_have_text(re.compile(r"^\d"))
    expect(row.locator(".share")).to_have_text("")
    expect(page.locator("#type-publish .share .bad")).to_have_text(re.compile(r"^\d+ %"))
    details = page.get_by_label("Details of sum_range")
    details.click()
    fold = page.locator("#type-sum_range + tr")
    expect(fold).to_contain_text("integer · 0 to 4000000000")
    expect(fold).to_contain_text("queue default · max retries 3 · timeout")
    expect(fold).to_contain_text(re.compile(r"run\s*p50 \d.* · p95 \d.* · p99 \d"))
    details.click()
    expect(fold).to_be_hidden()


def test_a_type_says_which_fields_it_has_and_a_quarantined_one_why_until_it_is_released(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.page
    types = lasting_dashboard.system.get("/types")
    (flaky,) = (one for one in types["items"] if one["name"] == "flaky")
    flaky["quarantine"] = {
        "type": "flaky",
        "since": "2026-01-31T12:00:00.000Z",
        "text": "5 deaths within 10 min, the last one job 7 on default-1: killed by SIGSEGV",
        "crashes": [],
    }
    bare = {"type": "object", "properties": {}, "additionalProperties": False}
    types["items"] += [
        {**flaky, "name": name, "schema": schema, "quarantine": None}
        for name, schema in {"bare": bare, "any": {"type": "object"}}.items()
    ]
    intercept(page, TYPES, lambda route: route.fulfill(json=types))
    released: list[Any] = []

    def release(route: Any) -> None:
        released.append(route.request.post_data_json)
        flaky["quarantine"] = None
        route.fulfill(json=flaky)

    intercept(page, "**/types/flaky/release", release)
    lasting_dashboard.open("/ui/types")
    for name, payload in {"bare": "none", "any": "any JSON object"}.items():
        page.locator("#unused[aria-expanded=false]").click()
        page.get_by_label(f"Details of {name}").click()
        expect(page.locator(f"#type-{name} + tr")).to_contain_text(payload)
        page.locator("#unused").click()
    row = page.locator("#type-flaky")
    expect(row.locator(".paused")).to_contain_text("quarantined")
    expect(row.locator(".paused")).to_contain_text("job 7 on default-1: killed by SIGSEGV")
    job = row.locator(".paused").get_by_role("link", name="job 7")
    expect(job).to_have_attribute("href", "/ui/jobs/7")
    expect(page.locator("#type-sleep .paused")).to_have_count(0)
    row.get_by_role("button", name="Release flaky").click()
    page.locator("dialog input:visible, dialog textarea:visible").first.fill("mended")
    page.get_by_role("button", name="Release", exact=True).click()
    expect(row.locator(".paused")).to_have_count(0)
    expect(row.get_by_role("button", name="Release flaky")).to_be_hidden()
    assert released == [{"reason": "mended"}]
