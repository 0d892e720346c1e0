"""The list of jobs follows what happens, even if a read fails or comes late."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept
from tests.browser.job_list import row, rows, wait_submitted


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
    said = "The database is busy." if how == "refused" else "Orpheus does not answer"
    expect(page.locator("#filter-problem")).to_contain_text(said)
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


def test_the_overview_of_an_older_version_leads_to_the_list(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.page
    page.goto(lasting_dashboard.system.url + "/?status=failed&tag=none")
    page.wait_for_url("**/ui/jobs?status=failed&tag=none")


def test_rows_change_in_place_under_the_pointer_and_new_ones_wait(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    first = wait_submitted(system, held, "follow")
    page = lasting_dashboard.open("/ui/jobs?tag=follow")
    row(page, first).hover()
    before = row(page, first).bounding_box()
    later = wait_submitted(system, held, "follow")
    expect(page.locator("#new")).to_have_text("1 new")
    expect(page.locator("#total")).to_have_text("2 jobs match")
    system.client.post(f"/jobs/{first}/cancel", json={})
    expect(row(page, first)).to_have_attribute("data-status", "cancelled")
    assert row(page, first).bounding_box() == before
    page.locator("h1").hover()
    expect(rows(page).first).to_have_attribute("data-id", str(later))
    expect(page.locator("#new")).to_be_disabled()


def test_many_new_jobs_wait_behind_the_button_and_a_job_that_no_longer_matches_goes(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    first = wait_submitted(system, held, "many")
    page = lasting_dashboard.open("/ui/jobs?tag=many&status=pending")
    expect(rows(page)).to_have_count(1)
    job = {"type": "sum_range", "payload": {"n": 1}, "queue": held, "tags": ["many"]}
    system.client.post("/jobs/batch", json={"jobs": [job] * 70})
    expect(page.locator("#new")).to_have_text("70 new")
    expect(rows(page)).to_have_count(1)
    page.keyboard.press("n")
    expect(rows(page)).to_have_count(50)
    expect(row(page, first)).to_have_count(0)
    newest = rows(page).first
    job_id = newest.get_attribute("data-id")
    system.client.post(f"/jobs/{job_id}/cancel", json={})
    expect(row(page, int(job_id or 0))).to_have_count(0)


def test_a_search_is_repeated_only_when_it_is_asked_for(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    page = lasting_dashboard.open("/ui/jobs?tag=search&q=sum_range")
    wait_submitted(system, held, "search")
    expect(page.locator("#new")).to_have_text("search again")
    expect(rows(page)).to_have_count(0)
    page.locator("#new").click()
    expect(rows(page)).to_have_count(1)
