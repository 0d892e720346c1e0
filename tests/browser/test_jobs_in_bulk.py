"""Jobs are selected, and then retried, cancelled or deleted: those that were seen and counted."""

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import confirm, row, rows, select_all
from tests.variants import variants


@pytest.mark.parametrize("many", variants([120, 500], 120))
def test_failed_jobs_are_retried_by_filter_and_none_that_arrives_meanwhile(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]], many: int
) -> None:
    """More than one call retries."""
    system, tag = lasting_dashboard.system, f"storm-{many}"
    seen = fail(many, tag)
    page = lasting_dashboard.open(f"/ui/jobs?tag={tag}&status=failed")
    # "at least" if 10 ms did not suffice; the question below has the exact number
    expect(page.locator("#total")).to_contain_text(f"{many} jobs match")
    select_all(page)
    page.get_by_role("button", name="Retry …").click()
    expect(page.locator("#confirm-title")).to_have_text(f"Retry {many} jobs?")
    later = fail(5, tag)
    arrivals = threading.Thread(target=fail, args=(20, tag))
    arrivals.start()
    confirm(page, typed=str(many), reason="the disk is back")
    expect(page.locator("#result")).to_have_text(f"{many} jobs will run again.")
    page.reload()
    expect(page.locator("#selected")).to_be_hidden()
    arrivals.join()
    for job in (seen[0], seen[-1]):
        system.wait_for_job(job)
    attempts = {job: len(system.get(f"/jobs/{job}")["attempts"]) for job in (*later, seen[0])}
    assert set(attempts.values()) == {1, 2} and attempts[seen[0]] == 2
    (entry,) = [one for one in system.get("/audit")["items"] if f"tag={tag}" in one["target"]]
    assert (entry["action"], entry["count"], entry["reason"]) == ("retry", many, "the disk is back")


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
    expect(page.locator("#selected")).to_be_hidden()


def asked(
    dashboard: Dashboard, queue: str, tag: str, jobs: int, leave_out: int = 0
) -> tuple[Page, list[int]]:
    """The question whether to cancel so many jobs, but for the first, which are cancelled."""
    job = {"type": "sum_range", "payload": {"n": 1}, "queue": queue, "tags": [tag]}
    answer = dashboard.system.client.post("/jobs/batch", json={"jobs": [job] * jobs})
    ids: list[int] = answer.json()["ids"]
    for one in ids[:leave_out]:
        dashboard.system.client.post(f"/jobs/{one}/cancel")
    page = dashboard.open(f"/ui/jobs?tag={tag}&status=pending")
    select_all(page)
    page.get_by_role("button", name="Cancel …").click()
    expect(page.locator("#confirm-title")).to_have_text(f"Cancel {jobs - leave_out} jobs?")
    expect(page.locator("#confirm-text")).to_contain_text(
        "Nothing happens if the count grows first."
    )
    return page, ids


def test_more_jobs_than_were_confirmed_are_left_as_they_are(
    lasting_dashboard: Dashboard, held: str
) -> None:
    page, ids = asked(lasting_dashboard, held, "more", 3, leave_out=1)
    client = lasting_dashboard.system.client
    client.post(f"/jobs/{ids[0]}/retry")
    confirm(page)
    told = "3 jobs match now, 2 were expected; nothing was changed"
    expect(page.locator("#confirm-problem")).to_have_text(told)
    page.keyboard.press("Escape")
