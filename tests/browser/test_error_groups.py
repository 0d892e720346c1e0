"""The page of the errors, as an operator uses it."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import intercept


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
    expect(row.locator(".hour")).to_have_text("3none in the hour before")
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


def test_groups_are_sorted_and_to_retry_many_their_number_has_to_be_typed(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.page
    at = "2026-01-31T12:00:00.000Z"
    group = {"type": "add", "error": "ValueError", "where": None, "count": 1234}
    group |= {"last_hour": 1000, "hour_before": 0}
    group |= {"first_seen": at, "last_seen": at, "newest": 7, "max_id": 9, "message": "too much"}
    group["messages"] = 1
    began = {"type": "resize", "count": 2, "last_hour": 0, "first_seen": "2026-02-01T00:00:00.000Z"}
    items = [group, group | began]
    intercept(
        page,
        f"{lasting_dashboard.system.url}/errors",
        lambda route: route.fulfill(json={"items": items}),
    )
    bodies: list[Any] = []

    def answer(route: Any) -> None:
        bodies.append(route.request.post_data_json)
        route.fulfill(json={"changed": 1234})

    intercept(page, "**/jobs/bulk", answer)
    lasting_dashboard.open("/ui/errors?sort=%0A")
    types = page.locator("#rows .name")
    expect(types).to_have_text(["add", "resize"])
    jobs = page.get_by_role("columnheader", name="jobs")
    expect(jobs).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="oldest of these").focus()
    page.keyboard.press("Enter")
    expect(types).to_have_text(["resize", "add"])
    page.reload()
    expect(types).to_have_text(["resize", "add"])
    order = "sorted by when the oldest of these failed"
    summary = f"1,236 failed jobs in 2 groups, {order} · 1,000 in the last hour"
    expect(page.locator("#summary")).to_have_text(summary)
    page.get_by_role("button", name="Retry the jobs with ValueError of add").click()
    expect(page.locator("#confirm-yes")).to_be_disabled()
    page.get_by_label("Type 1234 to confirm").fill("123")
    expect(page.locator("#confirm-yes")).to_be_disabled()
    page.keyboard.press("Enter")
    page.get_by_label("Type 1234 to confirm").fill("1234")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_hidden()
    wanted = {"status": "failed", "type": "add", "error": "ValueError", "where": ""}
    body = {"filter": wanted, "max_id": 9, "expected_count": 1234}
    assert bodies == [{"action": "retry", **body}]
    page.get_by_role("button", name="Delete the jobs with ValueError of add").click()
    expect(page.locator("#confirm-yes")).to_be_disabled()
    page.get_by_label("Type 1234 to confirm").fill("1234")
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm")).to_be_hidden()
    assert bodies[1:] == [{"action": "delete", **body}]
    items.extend(group | {"error": f"Error{n}", "count": 1} for n in range(498))
    page.reload()
    expect(page.locator("#summary")).to_contain_text(f"in the 500 groups that failed last, {order}")
