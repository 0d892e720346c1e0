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
    expect(row.locator(".ended")).to_have_text(re.compile(r"^100 % of \d+"))
    expect(row.locator(".ended .bad")).to_have_count(0)
    expect(page.locator("#type-publish .ended .bad")).to_have_text(re.compile(r"^\d+ % of"))
    expect(row.locator(".times").first).to_have_text(re.compile(r"^p50\d.*p95\d.*p99\d"))
    fields = page.get_by_label("Fields of sum_range")
    expect(fields).to_have_text("1 field")
    fields.click()
    expect(page.locator("#fields-sum_range")).to_contain_text("integer · 0 to 4000000000")
    expect(page.locator("#fields-sum_range")).to_contain_text("queue default, at most 3 retries")
    fields.click()
    expect(page.locator("#fields-sum_range")).to_be_hidden()


def test_types_that_never_ran_are_folded_and_found(lasting_dashboard: Dashboard) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    system.wait_for_job(system.submit("sum_range", {"n": 1}))
    ran = system.get("/stats/types")
    ran["items"] = [one for one in ran["items"] if one["name"] == "sum_range"]
    intercept(page, "**/stats/types", lambda route: route.fulfill(json=ran))
    intercept(page, "**/errors", lambda route: route.fulfill(json={"items": []}))
    lasting_dashboard.open("/ui/types")
    expect(page.locator("#type-sum_range")).to_be_visible()
    expect(page.locator("#type-ship")).to_be_hidden()
    fold = page.get_by_role("button", name=re.compile(r"^\d+ types that never ran$"))
    fold.click()
    expect(page.locator("#type-ship")).to_be_visible()
    expect(page.locator("#type-ship .ended")).to_have_text("none yet")
    for width in (1440, 1024, 768, 360):
        page.set_viewport_size({"width": width, "height": 800})
        expect(
            page.locator("#type-ship .times").get_by_text("–").locator("visible=true")
        ).to_have_count(0)
    name = page.locator("#type-ship .name > a")
    expect(name).to_have_css("text-decoration-line", "underline")
    expect(fold).to_have_attribute("aria-expanded", "true")
    fold.click()
    expect(page.locator("#type-ship")).to_be_hidden()
    page.locator("#search").fill("parcels")
    expect(page.locator("#type-ship")).to_be_visible()
    lasting_dashboard.open("/ui/types?again#type-ship")
    expect(page.locator("#type-ship")).to_be_in_viewport()


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
    expect(page.get_by_label("Fields of bare")).to_have_text("no fields")
    expect(page.get_by_label("Fields of any")).to_have_text("fields")
    row = page.locator("#type-flaky")
    expect(row.locator(".paused")).to_contain_text("quarantined")
    expect(row.locator(".paused")).to_contain_text("job 7 on default-1: killed by SIGSEGV")
    job = row.locator(".paused").get_by_role("link", name="job 7")
    expect(job).to_have_attribute("href", "/ui/jobs/7")
    expect(page.locator("#type-sleep .paused")).to_be_hidden()
    row.get_by_role("button", name="Release flaky").click()
    page.locator("dialog input, dialog textarea").first.fill("mended")
    page.get_by_role("button", name="Release it").click()
    expect(row.locator(".paused")).to_be_hidden()
    expect(row.get_by_role("button", name="Release flaky")).to_be_hidden()
    assert released == [{"reason": "mended"}]
