"""The jobs that were submitted on a page: each is followed to its end."""

import re

from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept
from tests.machine import wait_until

FOLLOW = """async (jobs) => {
    const path = `${document.documentElement.dataset.static}/js/submit/sent-jobs.js`;
    const { follow } = await import(path);
    jobs.forEach((job) => follow(job, true));
}"""

HIDE = """(isHidden) => {
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def fail_at_first(page: Page, url: str, times: int) -> list[Route]:
    """Return the requests that failed: the first ones."""
    failures: list[Route] = []

    def fail(route: Route) -> None:
        if len(failures) == times:
            route.continue_()
        else:
            failures.append(route)
            route.abort()

    intercept(page, url, fail)
    return failures


class Asked:
    """What a page asks for jobs: with `wait`, or at once."""

    def __init__(self, page: Page, ids: str) -> None:
        self.page, self.ids = page, ids
        self.waiting: set[Request] = set()
        self.most = 0
        self.unanswered: set[Request] = set()
        self.at_once = 0
        page.on("request", self._count)
        page.on("requestfinished", self._answered)
        page.on("requestfailed", self._answered)

    def _count(self, request: Request) -> None:
        if re.search(rf"/jobs/({self.ids})\?wait=30", request.url):
            self.waiting.add(request)
            self.most = max(self.most, len(self.waiting))
        elif re.search(rf"/jobs/({self.ids})$", request.url):
            self.unanswered.add(request)
            self.at_once += 1

    def _answered(self, request: Request) -> None:
        self.waiting.discard(request)
        self.unanswered.discard(request)

    def at_once_in(self, seconds: int) -> int:
        """Return how often the page asks at once in so many seconds of its clock."""
        before = self.at_once
        for _ in range(seconds // 2):
            self.page.clock.run_for(2_000)
            wait_until(lambda: self.page.title() and not self.unanswered, "the answers")
        return self.at_once - before


def test_a_job_that_waits_tells_why_until_it_runs(lasting_dashboard: Dashboard, held: str) -> None:
    page = lasting_dashboard.open("/ui/submit?type=sum_range")
    page.locator("#example").click()
    page.locator("#options summary").click()
    page.locator("#option-queue").fill(held)
    page.locator("#send").click()
    expect(page.locator("#sent")).to_contain_text(f"Its queue {held} is paused")
    expect(page.locator("#sent a", has_text=held)).to_have_attribute(
        "href", f"/ui/queues#queue-{held}"
    )
    lasting_dashboard.system.client.post(f"/queues/{held}/resume", json={})
    expect(page.locator("#sent [data-status=done]")).to_have_count(1)
    expect(page.locator("#sent")).not_to_contain_text("paused")


def test_jobs_are_followed_through_failures_and_leave_room_for_other_calls(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    later = [system.submit("sum_range", {"n": n}, delay=3600) for n in range(5)]
    ids = "|".join(map(str, later))
    lasting_dashboard.load_modules_of("submit/submit.js")
    page = lasting_dashboard.open("/ui/submit?type=sum_range")
    failures = fail_at_first(page, f"**/jobs/{later[0]}?**", 6)
    asked = Asked(page, ids)

    def have_failed() -> bool:
        page.clock.run_for(5_000)
        return len(failures) == 6 and len(asked.waiting) == 3

    page.clock.install()
    jobs = [system.get(f"/jobs/{one}") for one in later]
    page.evaluate(FOLLOW, [*jobs, {**jobs[0], "id": 2**62}])
    wait_until(have_failed, "the sixth failure of a job's requests, and three that wait")
    expect(page.locator("#sent")).to_contain_text("deleted")
    assert asked.most == 3
    assert asked.at_once_in(20) < 12
    page.evaluate(HIDE, True)
    asked.at_once_in(12)
    assert asked.at_once_in(12) == 0
    for one in later:
        system.client.post(f"/jobs/{one}/run")
        system.wait_for_job(one)
    page.evaluate(HIDE, False)
    page.clock.fast_forward(60_000)
    expect(page.locator("#sent [data-status=done]")).to_have_count(5)
