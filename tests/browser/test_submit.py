"""The form made from a job type's JSON Schema."""

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard


def opened(dashboard: Dashboard, query: str) -> Page:
    page = dashboard.open(f"/ui/submit?{query}")
    expect(page.locator("#curl")).not_to_be_empty()
    return page


def newest(dashboard: Dashboard) -> dict[str, Any]:
    job: dict[str, Any] = dashboard.system.get("/jobs?limit=1")["items"][0]
    return job


def sent(page: Page) -> dict[str, Any]:
    """The body of the curl command."""
    text = page.locator("#curl").inner_text()
    body: dict[str, Any] = json.loads(text[text.index("'") + 1 : text.rindex("'")])
    return body


def test_the_form_submits_and_follows_the_job_to_its_end(lasting_dashboard: Dashboard) -> None:
    page = opened(lasting_dashboard, "type=sum_range")
    page.locator("#example").click()
    expect(page.locator("#curl")).to_contain_text('{"type":"sum_range","payload":{"n":100000}}')
    page.locator("#options summary").click()
    page.locator("#option-tags").fill("eu, vip")
    page.locator("#send").click()
    expect(page.locator("#sent")).to_contain_text("done")
    job = newest(lasting_dashboard)
    assert job["tags"] == ["eu", "vip"]
    link = page.locator("#sent a").first
    assert link.get_attribute("href") == f"/ui/jobs/{job['id']}"
    assert page.locator("#payload-n").input_value() == "100000", "the form stays for the next one"


def test_a_refusal_stands_at_its_field_and_nothing_is_stored(lasting_dashboard: Dashboard) -> None:
    before = lasting_dashboard.system.get("/jobs")["total"]["value"]
    page = opened(lasting_dashboard, "type=sleep")
    page.locator("#send").click()
    expect(page.locator("#payload-seconds-problem")).to_be_visible()  # it is missing
    page.locator("#type").select_option("sum_range")
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
    page.locator("#options summary").click()
    page.locator("#send").click()
    expect(page.locator("#option-queue-problem")).to_be_visible()
    expect(page.locator("#option-queue")).to_be_focused()
    assert lasting_dashboard.system.get("/jobs")["total"]["value"] == before


def test_a_list_is_written_as_json_and_every_digit_is_kept(lasting_dashboard: Dashboard) -> None:
    page = opened(lasting_dashboard, "type=ship")
    page.locator("#payload-parcels").fill("[{")
    page.locator("#send").click()
    expect(page.locator("#payload-parcels-problem")).to_contain_text("is not valid JSON")
    page.locator("#payload-parcels").fill('[{"weight": 18446744073709551616}]')
    assert '"parcels":[{"weight":18446744073709551616}]' in page.locator("#curl").inner_text()
    page.locator("#as-json").click()
    expect(page.locator("#payload-json")).to_have_value(re.compile("18446744073709551616"))
    page.locator("#payload-json").fill('{"unknown": 1}')
    page.locator("#as-form").click()
    expect(page.locator("#payload-json-problem")).to_contain_text("so it stays JSON")


def test_hidden_values_of_a_job_that_is_edited_are_given_again(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    payload = {"url": "http://127.0.0.1:9/hush", "body": {"n": 1}}
    job_id = system.submit("webhook", payload, delay="1h")
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("body")).to_contain_text("••••••••")
    expect(page.locator("body")).not_to_contain_text("hush")
    page.get_by_role("link", name="Edit and resubmit").click()
    expect(page.locator("#origin")).to_contain_text("hidden values are not shown")
    expect(page.locator("#payload-url")).to_have_value("")
    expect(page.locator("#payload-body")).to_have_value(re.compile('"n": ?1'))
    page.locator("#send").click()
    expect(page.locator("#payload-url-problem")).to_be_visible()


def test_a_failed_job_is_edited_and_submitted_again_and_the_two_name_each_other(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    first = system.submit("step")
    failed = system.submit(
        "step", {"fail": True, "seconds": 0.25}, tags=["eu"], priority=7, timeout="20s",
        depends_on=[first], on_dependency_failure="run", concurrency_key="a b",
    )  # fmt: skip
    system.wait_for_job(failed)
    page = lasting_dashboard.open(f"/ui/jobs/{failed}")
    page.get_by_role("link", name="Edit and resubmit").click()
    expect(page.locator("#origin")).to_contain_text(f"job {failed}")
    expect(page.locator("#payload-fail")).to_have_value("true")
    expect(page.locator("#payload-seconds")).to_have_value("0.25")
    expect(page.locator("#option-on_dependency_failure")).to_have_value('"run"')
    page.locator("#payload-fail").select_option("false")
    page.locator("#send").click()
    link = page.locator("#sent a")
    expect(page.locator("#sent")).to_contain_text("done")
    made = system.get("/jobs")["items"][0]
    assert made["payload"] == {"fail": False, "seconds": 0.25}
    assert made["tags"] == ["eu", f"resubmitted-from-{failed}"]
    kept = ("priority", "timeout", "depends_on", "on_dependency_failure", "concurrency_key")
    origin = system.get(f"/jobs/{failed}")
    assert {one: made[one] for one in kept} == {one: origin[one] for one in kept}
    assert origin["status"] == "failed", "it stays as it is"
    link.click()
    expect(page.locator("#details")).to_contain_text(f"made fromjob {failed}")
    page.locator("#details").get_by_role("link", name=f"job {failed}").click()
    expect(page.locator("#details")).to_contain_text(f"resubmittedas job {made['id']}")
