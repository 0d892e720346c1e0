"""The page of the errors, as an operator uses it."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Dashboard, wait_until_held
from tests.browser.interception import Route, intercept


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


def is_one_row_of_a_window_of_1024(page: Page, row: Locator) -> None:
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": 1024, "height": 800})
    tops = row.locator("td").evaluate_all("all => all.map((one) => one.getBoundingClientRect().y)")
    assert len(set(tops)) == 1
    head = page.get_by_role("columnheader")
    rights = "all => all.map((one) => Math.round(one.getBoundingClientRect().right))"
    assert head.evaluate_all(rights) == row.locator("td").evaluate_all(rights)
    page.set_viewport_size(size)


def test_a_group_is_retried_as_it_was_seen(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    forget(system)
    jobs = fail(system, "broken", 3)
    page = lasting_dashboard.open("/ui/errors")
    row = page.locator("#rows tr", has_text="shout")
    expect(row.locator(".error b")).to_have_text("PermanentError")
    is_one_row_of_a_window_of_1024(page, row)
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


def test_a_group_is_deleted_as_it_was_seen(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    forget(system)
    jobs = fail(system, "declined", 2)
    page = lasting_dashboard.open("/ui/errors")
    row = page.locator("#rows tr", has_text="shout")
    expect(row.locator(".count a")).to_have_text("2")
    (later,) = fail(system, "declined")
    expect(row.locator(".count a")).to_have_text("3")
    row.get_by_role("button", name="Delete").click()
    expect(page.locator("#confirm-title")).to_have_text("Delete 3 jobs?")
    expect(page.locator("#confirm-text")).to_contain_text("This cannot be undone.")
    page.keyboard.type("the cards are old")
    page.locator("#confirm-yes").click()
    expect(page.locator("#result")).to_have_text("3 jobs of shout were deleted.")
    entry = system.get("/audit")["items"][0]
    assert (entry["action"], entry["count"], entry["reason"]) == ("delete", 3, "the cards are old")
    assert f"id<={later}" in entry["target"]
    for job in (*jobs, later):
        assert system.client.get(f"/jobs/{job}").status_code == 404


def test_a_long_message_is_read_to_its_end_and_of_several_the_newest_is_said_to_be_one(
    lasting_dashboard: Dashboard,
) -> None:
    at = "2026-01-31T12:00:00.000Z"
    long = "mailbox 'very.long.name.of.a.person.285@subdomain.of.a.long.example.org' does not exist"
    group: dict[str, Any] = {"type": "send_mail", "where": "myjobs.py:25", "max_id": 9}
    group |= {"last_hour": 22, "hour_before": 0, "first_seen": at, "last_seen": at, "newest": 7}
    said = {
        (1, 1): ("'berlin'", "'berlin'"),
        (9, 1): ("'berlin'", "newest: 'berlin'"),
        (9, 4): ("'berlin'", "newest of 4 messages: 'berlin'"),
        (54, 4): ("'berlin'", "newest of 4 or more messages: 'berlin'"),
        (99, 10): (long, f"newest of 10 or more messages: {long}"),
    }
    items = [
        group | {"error": f"E{n}{m}", "count": n, "messages": m, "message": message}
        for (n, m), (message, _) in said.items()
    ]
    page = lasting_dashboard.page
    intercept(
        page,
        f"{lasting_dashboard.system.url}/errors",
        lambda route: route.fulfill(json={"items": items}),
    )
    lasting_dashboard.open("/ui/errors?sort=-jobs")
    messages, orders = page.locator("#rows .message"), page.locator("thead button")
    expect(messages).to_have_text([told for _, told in said.values()])
    place = "all => all.map((one) => Math.round(one.getBoundingClientRect().y))"
    for width in (1440, 1024, 768, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert messages.last.evaluate("one => one.scrollHeight <= one.clientHeight"), width
        tops = orders.evaluate_all(place)
        assert len(set(tops)) == 1, f"the words to sort by are in one line at {width}"


def test_the_search_stands_in_the_address(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    forget(system)
    (job,) = fail(system, "to be found")
    page = lasting_dashboard.open("/ui/errors?q=nothing+like+it")
    row, field = page.locator("#rows tr", has_text="shout"), page.locator("#search")
    expect(page.locator("#no-match")).to_be_visible()
    expect(field).to_have_value("nothing like it")
    field.fill("to be ")
    expect(page).to_have_url(re.compile(r"\?q=to\+be$"))
    expect(field).to_have_value("to be ")
    row.locator(".newest a").click()
    page.wait_for_url(f"**/ui/jobs/{job}")
    page.go_back()
    expect(field).to_have_value("to be")
    expect(row).to_be_visible()
    page.get_by_role("button", name="last seen").click()
    expect(page).to_have_url(re.compile(r"\?q=to\+be&sort=last$"))
    field.fill("no such text")
    expect(row).to_be_hidden()
    page.go_back()
    expect(field).to_have_value("to be")
    expect(row).to_be_visible()
    field.fill("")
    expect(page).to_have_url(re.compile(r"/ui/errors$"))


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


def test_an_answer_that_comes_late_changes_nothing_in_the_next_question(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.page
    at = "2026-01-31T12:00:00.000Z"
    group = {"type": "add", "error": "Few", "where": None, "count": 5, "message": "too much"}
    group |= {"last_hour": 0, "hour_before": 0, "newest": 7, "max_id": 9, "messages": 1}
    group |= {"first_seen": at, "last_seen": at}
    items = [group, group | {"error": "Many", "count": 300}]
    intercept(
        page,
        f"{lasting_dashboard.system.url}/errors",
        lambda route: route.fulfill(json={"items": items}),
    )
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    intercept(page, "**/jobs/bulk", hold)
    lasting_dashboard.open("/ui/errors")
    yes = page.locator("#confirm-yes")
    answers: list[dict[str, Any]]
    answers = [{"status": 503, "json": {"detail": "It is busy."}}, {"json": {"changed": 5}}]
    for answer in answers:
        page.get_by_role("button", name="Retry the jobs with Few").click()
        yes.click()
        wait_until_held(page, held)
        page.locator("#confirm-reason").fill("typed meanwhile")
        expect(yes).to_be_disabled()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Retry the jobs with Many").click()
        with page.expect_response("**/jobs/bulk"):
            held.pop().fulfill(**answer)
        page.evaluate("new Promise((done) => setTimeout(done, 50))")
        expect(page.locator("#confirm-title")).to_have_text("Retry 300 jobs?")
        expect(page.locator("#confirm")).to_be_visible()
        expect(page.locator("#confirm-problem")).to_be_hidden()
        expect(yes).to_be_disabled()
        expect(page.locator("#refused")).to_be_hidden()  # nobody hears what is behind a dialog
        page.keyboard.press("Escape")
        if "status" in answer:
            expect(page.locator("#refused li")).to_have_text(["Retry 5 jobs: It is busy."])
            page.get_by_role("button", name="Close").click()
    expect(page.locator("#refused")).to_be_hidden()
    expect(page.locator("#result")).to_have_text("5 jobs of add will run again.")
