"""Edit and resubmit: a job that failed is mended and submitted again, as a new job."""

from typing import Any

from playwright.sync_api import expect


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


def test_an_origin_that_is_not_there_is_said_not_to_be(lasting_dashboard: Any) -> None:
    page = lasting_dashboard.open("/ui/submit?from=123456789")
    expect(page.locator("#problem")).to_contain_text("there is no job 123456789")
    expect(page.locator("#origin")).to_have_count(0)
    expect(page.locator("#type option").first).to_be_attached()


def test_of_an_unknown_type_there_is_no_form_until_one_is_chosen(
    lasting_dashboard: Any,
) -> None:
    page = lasting_dashboard.open("/ui/submit?type=nope")
    expect(page.locator("#problem")).to_have_text("No job type is called nope.")
    expect(page.locator("#send")).to_be_hidden()
    expect(page.locator("#type")).to_have_value("")
    page.locator("#type").select_option("sum_range")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#send")).to_be_visible()
    assert "" not in page.locator("#type option").evaluate_all("all => all.map((o) => o.value)")
