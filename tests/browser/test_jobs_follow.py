"""The list of jobs follows what happens, even if a read fails or comes late."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept
from tests.browser.job_list import row, rows, wait_submitted
from tests.browser.told_stream import Stream
from tests.machine import wait_until


def rest(page: Page) -> None:
    """Point at nothing, with no focus: then rows may be inserted."""
    page.mouse.move(2, 2)
    page.evaluate("document.activeElement.blur()")


# A read that fails


@pytest.mark.parametrize("how", ["refused", "unanswered"])
def test_a_list_that_cannot_be_read_says_so_keeps_its_filter_and_comes_by_itself(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]], how: str
) -> None:
    system = lasting_dashboard.system
    tag = f"once-{how}"
    failed = fail(2, tag)
    done = system.submit("sum_range", {"n": 1}, tags=[tag])
    system.wait_for_job(done)
    page = lasting_dashboard.open(f"/ui/jobs?tag={tag}")
    expect(rows(page)).to_have_count(3)
    broken = [True]

    def answer(route: Route) -> None:
        if not broken[0]:
            route.continue_()
        elif how == "refused":
            route.fulfill(status=503, json={"detail": "The database is busy."})
        else:
            route.abort()

    intercept(page, "**/jobs?status=failed**", answer)
    page.locator("#status").select_option("failed")
    expect(page.locator("#filter-problem")).to_contain_text("The list is as it was before")
    expect(rows(page)).to_have_count(3)
    page.get_by_role("button", name="All that match: select them").click()
    page.get_by_role("button", name="Delete …").click()
    expect(page.locator("#confirm-title")).to_have_text("Delete 3 jobs?")
    expect(page.locator("#confirm-text")).to_contain_text(f"All that match “tag:{tag}”")
    page.keyboard.press("Escape")
    broken[0] = False
    expect(rows(page)).to_have_count(2)
    expect(row(page, failed[0])).to_be_visible()
    expect(page.locator("#filter-problem")).to_be_hidden()
    expect(page.locator("#selected")).to_have_text("None selected")


def test_a_list_that_was_never_read_shows_and_selects_no_job(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    page = lasting_dashboard.page
    stream = Stream(page)
    broken = [True]

    def answer(route: Route) -> None:
        if broken[0]:
            route.fulfill(status=503, json={"detail": "The database is busy."})
        else:
            route.continue_()

    intercept(page, "**/jobs?**tag=unread**", answer)
    lasting_dashboard.open("/ui/jobs?tag=unread")
    told = "The list could not be read. The database is busy. Another try follows."
    expect(page.locator("#filter-problem")).to_have_text(told)
    rest(page)
    other = wait_submitted(system, held, "other")

    def is_told() -> bool:
        page.title()
        return any(event.get("job", {}).get("id") == other for event in stream.events)

    wait_until(is_told, "the event of the other job")
    stream.tell(counts={"job.enqueued": {"sum_range": 5}})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    expect(rows(page)).to_have_count(0)
    expect(page.locator("#total")).to_have_text("…")
    expect(page.locator("#new")).to_have_text("0 new")
    expect(page.get_by_role("button", name="All that match: select them")).to_be_disabled()
    broken[0] = False
    expect(page.locator("#total")).to_have_text("0 jobs match")


def test_a_read_that_fails_loses_nothing_of_what_waits(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    wait_submitted(system, held, "lacking")
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?tag=lacking")
    row(page, rows(page).first.get_attribute("data-id")).hover()
    stream.is_silent = True
    unseen = wait_submitted(system, held, "lacking")
    stream.tell(counts={"job.enqueued": {"sum_range": 1}})
    new = page.locator("#new")
    expect(new).to_have_text("1 new")  # the page has looked, as nothing told it what is new
    calls: list[str] = []

    def answer(route: Route) -> None:
        calls.append(route.request.url)
        if len(calls) == 1:
            route.fulfill(status=503, json={"detail": "The database is busy."})
        else:
            route.continue_()

    intercept(page, "**/jobs?**limit=50**", answer)
    new.press("Enter")
    expect(page.locator("#filter-problem")).to_contain_text("The database is busy.")
    expect(new).to_have_text("1 new")
    expect(row(page, unseen)).to_be_visible()
    expect(new).to_have_text("0 new")
    expect(new).to_be_focused()


# Rows that wait


def test_a_job_that_waits_to_be_shown_is_shown_as_a_summary_says_it_is(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    wait_submitted(system, held, "summed")
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?type=sum_range")
    rows(page).first.hover()
    new = wait_submitted(system, held, "summed")
    expect(page.locator("#new")).to_have_text("1 new")
    stream.is_silent = True
    system.client.post(f"/jobs/{new}/cancel", json={})
    read = re.compile(rf"/jobs(/{new}|\?.*type=sum_range)")
    with page.expect_response(read):
        stream.tell(changed={"job.cancelled": [new]})
    rest(page)
    expect(row(page, new)).to_have_attribute("data-status", "cancelled")


def test_a_job_that_no_longer_matches_is_not_inserted(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    wait_submitted(system, held, "unmatched")
    page = lasting_dashboard.open("/ui/jobs?tag=unmatched&status=pending")
    expect(page.locator("#new")).to_be_hidden()
    pause = page.locator("#pause").bounding_box()
    rows(page).first.hover()
    new = wait_submitted(system, held, "unmatched")
    expect(page.locator("#new")).to_have_text("1 new")
    expect(page.locator("#new")).to_be_visible()
    assert page.locator("#pause").bounding_box() == pause, "its place was kept"
    system.client.post(f"/jobs/{new}/cancel", json={})
    expect(page.locator("#new")).to_have_text("0 new")
    rest(page)
    later = wait_submitted(system, held, "unmatched")
    expect(row(page, later)).to_be_visible()
    expect(row(page, new)).to_have_count(0)


def test_a_job_that_came_while_the_page_was_read_is_shown_once(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    wait_submitted(system, held, "race")
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?tag=race")
    expect(rows(page)).to_have_count(1)
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    intercept(page, "**/jobs?**limit=50**", hold)
    page.locator("#query").fill("tag:race type:sum_range")

    def is_asked() -> bool:
        page.wait_for_timeout(20)  # it handles what was routed
        return bool(waiting)

    wait_until(is_asked, "the page to be asked for")
    new = wait_submitted(system, held, "race")

    def is_told() -> bool:
        page.wait_for_timeout(20)
        return any(event.get("job", {}).get("id") == new for event in stream.events)

    wait_until(is_told, "the stream to tell of the job")
    rows(page).first.hover()
    waiting[0].continue_()
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#new")).to_have_text("0 new")


def test_a_job_that_two_summaries_name_counts_once(lasting_dashboard: Dashboard, held: str) -> None:
    system = lasting_dashboard.system
    known = wait_submitted(system, held, "twice")
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?type=sum_range")
    row(page, known).hover()
    stream.is_silent = True
    new = wait_submitted(system, held, "twice")
    stream.tell(counts={"job.enqueued": {"sum_range": 1}})
    expect(page.locator("#new")).to_have_text("1 new")
    job = system.get(f"/jobs/{new}")
    job = {name: job[name] for name in job if name not in ("payload", "result", "attempts")}
    started = {"seq": 10**9, "at": job["created_at"], "kind": "job.started", "job": job}
    stream.tell(events=[started])
    stream.tell(counts={"job.enqueued": {"sum_range": 2}})
    expect(page.locator("#new")).to_have_text("3 new")


def test_a_list_by_end_keeps_the_place_of_a_row_that_runs_again(
    lasting_dashboard: Dashboard, held: str, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    other = wait_submitted(system, held, "ended")
    first, second, third = (fail(1, "ended")[0] for _ in range(3))
    system.client.post(f"/jobs/{other}/cancel", json={})
    page = lasting_dashboard.open("/ui/jobs?tag=ended&sort=ended")
    ids = "all => all.map((one) => Number(one.dataset.id))"
    expect(rows(page)).to_have_count(4)
    assert rows(page).evaluate_all(ids) == [other, third, second, first]
    # It waits again, and has not ended.
    system.client.post(f"/jobs/{other}/retry", json={})
    expect(row(page, other)).to_have_class("other")
    new = fail(1, "ended")[0]
    expect(row(page, new)).to_be_visible()
    assert rows(page).evaluate_all(ids) == [new, other, third, second, first]


def test_a_list_by_a_text_does_not_count_jobs_that_only_go_on(
    lasting_dashboard: Dashboard, held: str
) -> None:
    """No event tells whether a job has the text; what was there at the last look was looked at."""
    system = lasting_dashboard.system
    old = system.get(f"/jobs/{wait_submitted(system, held, 'going-on')}")
    job = {name: old[name] for name in old if name not in ("payload", "result", "attempts")}
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?q=nothing-has-this")
    expect(page.locator("#total")).to_have_text("0 jobs match")
    new = {**job, "id": job["id"] + 1}
    done = {**job, "id": job["id"] + 2, "status": "done", "finished_at": job["created_at"]}
    failed = {**done, "id": job["id"] + 3, "status": "failed"}
    failed["error"] = {"type": "OSError", "message": "no nothing"}
    has_it = {**failed, "id": job["id"] + 4}
    has_it["error"] = {"type": "OSError", "message": "Nothing-has-this"}

    def told(kind: str, one: dict[str, Any]) -> dict[str, Any]:
        return {"at": old["created_at"], "kind": kind, "job": one}

    goes_on = told("job.started", job), told("job.progress", job), told("job.done", done)
    stream.tell_events(*goes_on, told("job.failed", failed), told("job.enqueued", new))
    expect(page.locator("#new")).to_have_text("1 newer, search again")
    stream.tell_events(told("job.failed", has_it))
    expect(page.locator("#new")).to_have_text("2 newer, search again")
    stream.tell(counts={"job.enqueued": {"sum_range": 4}, "job.done": {"sum_range": 300}})
    expect(page.locator("#new")).to_have_text("6 newer, search again")
    page.locator("#new").click()
    expect(page.locator("#new")).to_have_text("0 new")


# Rows that are gone


def test_a_deleted_job_looks_deleted_and_cannot_be_selected(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    ids = fail(3, "gone")
    page = lasting_dashboard.open("/ui/jobs?tag=gone")
    expect(rows(page)).to_have_count(3)
    page.get_by_label("Select every job of this page").click()
    expect(page.locator("#selected")).to_have_text("3 selected")
    system.client.delete(f"/jobs/{ids[1]}")
    gone = row(page, ids[1])
    expect(gone).to_have_class("other")
    expect(gone.locator(".status")).to_have_text("deleted")
    expect(gone.get_by_role("checkbox")).to_be_disabled()
    expect(page.locator("#selected")).to_have_text("2 selected")
    expect(page.locator("#pick-page")).to_be_checked()


# The address


def test_back_shows_the_filter_of_the_list_even_where_the_field_has_the_focus(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    fail(2, "focus")
    page = lasting_dashboard.open("/ui/jobs?tag=focus")
    page.locator("#query").fill("tag:focus status:done")
    page.keyboard.press("Enter")
    expect(page.locator("#no-match")).to_be_visible()
    page.go_back()
    expect(page.locator("#query")).to_have_value("tag:focus")
    expect(page.locator("#query")).to_be_focused()
    expect(rows(page)).to_have_count(2)


def test_the_link_to_the_content_leaves_the_list_and_its_place(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    fail(1, "skip")
    page = lasting_dashboard.open("/ui/jobs?tag=skip")
    expect(rows(page)).to_have_count(1)
    page.wait_for_load_state("networkidle")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**#*")
    page.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert [one for one in calls if "limit=50" in one] == []


def test_the_overview_of_an_older_version_leads_to_the_list(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.page
    page.goto(lasting_dashboard.system.url + "/?status=failed&tag=none")
    page.wait_for_url("**/ui/jobs?status=failed&tag=none")
