"""Jobs are selected, and then retried, cancelled or deleted: those that were seen and counted."""

import threading
from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import confirm, row, rows, statuses


def test_500_failed_jobs_are_retried_by_filter_and_none_that_arrives_meanwhile(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    seen = fail(500, "storm")
    page = lasting_dashboard.open("/ui/jobs?tag=storm&status=failed")
    expect(page.locator("#total")).to_have_text("500 jobs match")
    page.get_by_role("button", name="Select all jobs that match").click()
    page.get_by_role("button", name="Retry …").click()
    expect(page.locator("#confirm-title")).to_have_text("Retry 500 jobs?")
    later = fail(5, "storm")
    arrivals = threading.Thread(target=fail, args=(20, "storm"))
    arrivals.start()
    confirm(page, typed="500", reason="the disk is back")
    expect(page.locator("#result")).to_have_text("500 jobs will run again.")
    arrivals.join()
    attempts = {job: len(system.get(f"/jobs/{job}")["attempts"]) for job in (*later, seen[0])}
    assert set(attempts.values()) == {1, 2} and attempts[seen[0]] == 2
    (entry,) = [one for one in system.get("/audit")["items"] if "tag=storm" in one["target"]]
    assert (entry["action"], entry["count"], entry["reason"]) == ("retry", 500, "the disk is back")


def test_a_stop_in_the_middle_tells_exactly_how_many_were_changed(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    job = {"type": "sum_range", "payload": {"n": 1}, "queue": held, "tags": ["stopped"]}
    system.client.post("/jobs/batch", json={"jobs": [job] * 450})
    page = lasting_dashboard.open("/ui/jobs?tag=stopped")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if '"cursor"' in (route.request.post_data or "") and not waiting:
            waiting.append(route)
        else:
            route.continue_()

    page.route("**/jobs/bulk", hold)
    page.get_by_role("button", name="Select all jobs that match").click()
    page.get_by_role("button", name="Cancel …").click()
    confirm(page, typed="450")
    expect(page.locator("#done-words")).to_have_text("Cancelling: 100 of 450")
    expect(page.locator("#working")).to_be_visible()
    page.locator("#stop").click()
    waiting[0].continue_()
    told = "Stopped: 200 jobs were cancelled or asked to stop, 250 of 450 were left as they were."
    expect(page.locator("#result")).to_have_text(told)
    assert statuses(system, "stopped") == {"cancelled": 200, "pending": 250}
    assert system.get("/audit")["items"][0]["count"] == 200


def test_a_step_whose_answer_was_lost_is_counted(lasting_dashboard: Dashboard, held: str) -> None:
    system = lasting_dashboard.system
    job = {"type": "sum_range", "payload": {"n": 1}, "queue": held, "tags": ["lost"]}
    system.client.post("/jobs/batch", json={"jobs": [job] * 250})
    page = lasting_dashboard.open("/ui/jobs?tag=lost")
    lost: list[Route] = []

    def lose_one(route: Route) -> None:
        if '"cursor"' in (route.request.post_data or "") and not lost:
            lost.append(route)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/jobs/bulk", lose_one)
    page.get_by_role("button", name="Select all jobs that match").click()
    page.get_by_role("button", name="Cancel …").click()
    confirm(page, typed="250")
    expect(page.locator("#result")).to_have_text("250 jobs were cancelled or asked to stop.")
    assert lost
    assert statuses(system, "lost") == {"cancelled": 250}


def test_a_selection_is_kept_while_rows_arrive_and_only_it_is_changed(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    ids = fail(6, "chosen")
    page = lasting_dashboard.open("/ui/jobs?tag=chosen")
    row(page, ids[4]).get_by_role("checkbox").click()
    row(page, ids[2]).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(page.locator("#selected")).to_have_text("3 selected")
    row(page, ids[0]).get_by_role("checkbox").click()
    row(page, ids[3]).get_by_role("checkbox").click()
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    new = fail(1, "chosen")
    expect(row(page, new[0])).to_be_visible()
    expect(page.locator("#selected")).to_have_text("3 selected")
    expect(rows(page, ".chosen")).to_have_count(3)
    page.get_by_role("button", name="Delete …").click()
    expect(page.locator("#confirm-title")).to_have_text("Delete 3 jobs?")
    confirm(page)
    expect(page.locator("#result")).to_have_text("3 jobs were deleted.")
    left = {job["id"] for job in system.get("/jobs?tag=chosen")["items"]}
    assert left == {ids[1], ids[3], ids[5], new[0]}
    expect(page.locator("#selected")).to_have_text("None selected")


def test_a_page_is_selected_and_those_of_other_pages_stay_so(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    ids = fail(60, "pages")
    page = lasting_dashboard.open("/ui/jobs?tag=pages")
    expect(rows(page)).to_have_count(50)
    page.get_by_label("Select every job of this page").click()
    expect(page.locator("#selected")).to_have_text("50 selected")
    page.locator("#older").click()
    expect(rows(page)).to_have_count(10)
    expect(page.locator("#selected")).to_have_text("50 selected, 50 not on this page")
    row(page, ids[0]).get_by_role("checkbox").click()
    expect(page.locator("#selected")).to_have_text("51 selected, 50 not on this page")
    page.locator("#status").select_option("done")
    expect(page.locator("#selected")).to_have_text("None selected")


def test_a_job_that_does_not_allow_it_stays_as_it_is(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    (failed,) = fail(1, "mixed")
    done = system.submit("sum_range", {"n": 1}, tags=["mixed"])
    system.wait_for_job(done)
    page = lasting_dashboard.open("/ui/jobs?tag=mixed")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Select every job of this page").click()
    page.get_by_role("button", name="Retry …").click()
    text = page.locator("#confirm-text")
    expect(text).to_contain_text("1 other of the selection stays as it is")
    system.client.delete(f"/jobs/{failed}")
    confirm(page)
    expect(page.locator("#confirm-problem")).to_contain_text("nothing was changed")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Retry …").click()
    expect(page.locator("#result")).to_contain_text("Nothing to do")
