"""The form made from a job type's JSON Schema."""

from typing import Any

from playwright.sync_api import expect


def test_the_form_submits_and_follows_the_job_to_its_end(lasting_dashboard: Any) -> None:
    page = lasting_dashboard.open("/ui/submit?type=sum_range")
    page.locator("#example").click()
    expect(page.locator("#curl")).to_contain_text('{"type":"sum_range","payload":{"n":100000}}')
    page.locator("#options summary").click()
    page.locator("#option-tags").fill("eu, vip")
    page.locator("#send").click()
    expect(page.locator("#sent")).to_contain_text('{"sum":5000050000}')
    assert lasting_dashboard.system.get("/jobs")["items"][0]["tags"] == ["eu", "vip"]


def test_a_refusal_stands_at_its_field_and_nothing_is_stored(lasting_dashboard: Any) -> None:
    before = lasting_dashboard.system.get("/jobs")["total"]["value"]
    page = lasting_dashboard.open("/ui/submit?type=sum_range")
    page.locator("#payload-n").fill("-1")
    page.locator("#send").click()
    expect(page.locator("#payload-n-problem")).to_contain_text("minimum")
    expect(page.locator("#payload-n")).to_be_focused()
    expect(page.locator("#payload-n")).to_have_attribute("aria-invalid", "true")
    page.locator("#payload-n").fill("many")
    expect(page.locator("#payload-n-problem")).to_be_hidden()
    page.locator("#send").click()
    expect(page.locator("#payload-n-problem")).to_contain_text("integer")
    page.locator("#payload-n").fill("5")
    page.locator("#options summary").click()
    page.locator("#option-queue").fill("not a name")
    page.locator("#send").click()
    expect(page.locator("#option-queue-problem")).to_be_visible()
    assert lasting_dashboard.system.get("/jobs")["total"]["value"] == before


def test_a_missing_field_is_told_where_it_is_missing(lasting_dashboard: Any) -> None:
    page = lasting_dashboard.open("/ui/submit?type=sleep")
    page.locator("#send").click()
    expect(page.locator("#payload-seconds-problem")).to_be_visible()
