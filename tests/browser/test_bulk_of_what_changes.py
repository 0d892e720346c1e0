"""A bulk action on jobs whose number changes after it was confirmed."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import confirm


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
    page.get_by_role("button", name="All that match: select them").click()
    page.get_by_role("button", name="Cancel …").click()
    expect(page.locator("#confirm-title")).to_have_text(f"Cancel {jobs - leave_out} jobs?")
    expect(page.locator("#confirm-text")).to_contain_text(
        "If fewer match by then, it is done with those; if more do, nothing"
    )
    return page, ids


def test_of_a_queue_that_runs_the_jobs_that_are_left_are_cancelled(
    lasting_dashboard: Dashboard, held: str
) -> None:
    page, ids = asked(lasting_dashboard, held, "fewer", 5)
    for one in ids[:2]:
        lasting_dashboard.system.client.post(f"/jobs/{one}/cancel")
    confirm(page)
    expect(page.locator("#result")).to_contain_text("3 jobs were cancelled")
    expect(page.locator("#confirm")).to_be_hidden()


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
