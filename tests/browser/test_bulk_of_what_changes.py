"""A bulk action on jobs whose number changes after it was confirmed."""

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Dashboard, wait_until_held
from tests.browser.job_list import confirm


def asked(dashboard: Dashboard, queue: str, tag: str, jobs: int) -> tuple[Page, list[int]]:
    """The question whether to cancel so many jobs."""
    job = {"type": "sum_range", "payload": {"n": 1}, "queue": queue, "tags": [tag]}
    answer = dashboard.system.client.post("/jobs/batch", json={"jobs": [job] * jobs})
    page = dashboard.open(f"/ui/jobs?tag={tag}&status=pending")
    page.get_by_role("button", name="All that match: select them").click()
    page.get_by_role("button", name="Cancel …").click()
    expect(page.locator("#confirm-title")).to_have_text(f"Cancel {jobs} jobs?")
    expect(page.locator("#confirm-text")).to_contain_text(
        "If fewer match by then, it is done with those; if more do, nothing"
    )
    return page, answer.json()["ids"]


def test_of_a_queue_that_runs_the_jobs_that_are_left_are_cancelled(
    lasting_dashboard: Dashboard, held: str
) -> None:
    page, ids = asked(lasting_dashboard, held, "fewer", 5)
    first: list[Route] = []

    def hold_the_first(route: Route) -> None:
        is_first = not first and '"expected_count":5' in (route.request.post_data or "")
        first.append(route) if is_first else route.continue_()

    page.route("**/jobs/bulk", hold_the_first)
    confirm(page)
    wait_until_held(page, first)
    for one in ids[:2]:
        lasting_dashboard.system.client.post(f"/jobs/{one}/cancel")
    first[0].continue_()
    expect(page.locator("#result")).to_contain_text("3 jobs were cancelled")
    expect(page.locator("#confirm")).to_be_hidden()


def test_more_jobs_than_were_confirmed_are_left_as_they_are(
    lasting_dashboard: Dashboard, held: str
) -> None:
    page, _ = asked(lasting_dashboard, held, "more", 2)
    problem = {"title": "Conflict", "status": 409, "detail": "3 jobs match now, 2 were expected"}
    sent: list[str] = []

    def refuse(route: Route) -> None:
        body = route.request.post_data or ""
        sent.append(body)
        if '"dry_run":true' in body:
            route.fulfill(json={"changed": 3, "so_far": 0, "max_id": 9, "next_cursor": None})
        else:
            route.fulfill(status=409, json=problem, content_type="application/problem+json")

    page.route("**/jobs/bulk", refuse)
    confirm(page)
    expect(page.locator("#confirm-problem")).to_have_text("3 jobs match now, 2 were expected")
    assert len(sent) == 2, "it was counted anew, and not tried again"
    page.keyboard.press("Escape")
