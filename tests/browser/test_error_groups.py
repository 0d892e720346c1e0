"""The page of the errors, as an operator uses it."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard


def fail(system: Any, text: str, times: int = 1) -> list[int]:
    """Let jobs fail, one after another; their ids."""
    jobs: list[int] = []
    for _ in range(times):
        jobs.append(system.submit("shout", {"text": text, "fail": True}))
        system.wait_for_job(jobs[-1])
    return jobs


def forget(system: Any) -> None:
    """Delete what other tests have let fail: it would be of the same group."""
    filter = {"type": "shout", "status": "failed"}
    answer = system.client.post("/jobs/bulk", json={"action": "delete", "filter": filter})
    assert answer.status_code == 200


def test_a_group_is_retried_as_it_was_seen(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    forget(system)
    jobs = fail(system, "broken", 3)
    page = lasting_dashboard.open("/ui/errors")
    row = page.locator("#rows tr", has_text="shout")
    expect(row.locator(".error b")).to_have_text("PermanentError")
    expect(row.locator(".error .message")).to_have_text("newest: broken")
    expect(row.locator(".where")).to_contain_text("in shout")
    expect(row.locator(".count a")).to_have_text("3")
    expect(row.locator(".hour")).to_have_text("3")
    expect(row.locator(".hour .bad")).to_have_text("3")
    expect(row.locator(".newest a")).to_have_attribute("href", f"/ui/jobs/{jobs[-1]}")
    row.get_by_role("button", name="Retry").click()
    expect(page.locator("#confirm-title")).to_have_text("Retry 3 jobs?")
    page.keyboard.type("the disk is back")
    page.locator("#confirm-yes").click()
    expect(page.locator("#result")).to_have_text("3 jobs of shout will run again.")
    entry = system.get("/audit")["items"][0]
    assert (entry["action"], entry["count"], entry["reason"]) == ("retry", 3, "the disk is back")
    for job in jobs:
        system.wait_for_job(job)


def test_a_group_that_has_changed_is_left_alone(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    (job,) = fail(system, "once more")
    page = lasting_dashboard.open("/ui/errors")
    page.locator("#rows tr", has_text="shout").get_by_role("button", name="Retry").click()
    title = page.locator("#confirm-title").inner_text()
    assert system.client.delete(f"/jobs/{job}").status_code == 204
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-problem")).to_contain_text("nothing was changed")
    assert page.locator("#confirm-title").inner_text() == title
