"""The jobs that were submitted on a page: each is followed to its end."""

import re

from playwright.sync_api import Request, Route, expect

from tests.browser.conftest import Dashboard
from tests.machine import wait_until

FOLLOW = """async (jobs) => {
    const { follow } = await import(`${document.documentElement.dataset.static}/js/sent-jobs.js`);
    jobs.forEach((job) => follow(job, true));
}"""

HIDE = """(isHidden) => {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_jobs_are_followed_through_failures_and_leave_room_for_other_calls(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    later = [system.submit("sum_range", {"n": n}, delay=3600) for n in range(5)]
    ids = "|".join(map(str, later))
    page = lasting_dashboard.open("/ui/submit?type=sum_range")
    failures: list[Route] = []
    waiting: set[Request] = set()
    most: list[int] = []
    asked: list[Request] = []
    unanswered: set[Request] = set()

    def fail_at_first(route: Route) -> None:
        if len(failures) == 6:
            route.continue_()
        else:
            failures.append(route)
            route.abort()

    def count(request: Request) -> None:
        if re.search(rf"/jobs/({ids})\?wait=30", request.url):
            waiting.add(request)
            most.append(len(waiting))
        elif re.search(rf"/jobs/({ids})$", request.url):
            asked.append(request)
            unanswered.add(request)

    def answered(request: Request) -> None:
        waiting.discard(request)
        unanswered.discard(request)

    def asked_in(seconds: int) -> int:
        """How often it asks for a job at once."""
        asked.clear()
        for _ in range(seconds // 2):
            page.clock.run_for(2_000)
            wait_until(lambda: page.title() and not unanswered, "the answers")
        return len(asked)

    def have_failed() -> bool:
        page.clock.run_for(5_000)
        return len(failures) == 6 and len(waiting) == 3

    page.route(re.compile(rf"/jobs/{later[0]}\b"), fail_at_first)
    page.on("request", count)
    page.on("requestfinished", answered)
    page.on("requestfailed", answered)
    page.clock.install()
    jobs = [system.get(f"/jobs/{one}") for one in later]
    page.evaluate(FOLLOW, [*jobs, {**jobs[0], "id": 2**62}])
    wait_until(have_failed, "the sixth failure of a job's requests, and three that wait")
    expect(page.locator("#sent")).to_contain_text("deleted")
    assert max(most) == 3
    assert asked_in(20) < 12
    page.evaluate(HIDE, True)
    asked_in(12)
    assert asked_in(12) == 0
    for one in later:
        system.client.post(f"/jobs/{one}/run")
        system.wait_for_job(one)
    page.evaluate(HIDE, False)
    page.clock.fast_forward(60_000)
    expect(page.locator("#sent [data-status=done]")).to_have_count(5)
