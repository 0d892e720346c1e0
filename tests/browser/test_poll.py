"""What a page says that asks again and again, when the API does not answer."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, wait_until_held
from tests.browser.interception import Route, intercept, stop_intercepting
from tests.browser.test_lists import opened


def holding(routes: list[Route]) -> Callable[[Route], None]:
    """Keep each call that comes. (Playwright takes no `append`.)"""

    def hold(route: Route) -> None:
        routes.append(route)

    return hold


class Hung:
    """The page of schedules on its own clock; an API that stands still whenever a test wants it."""

    def __init__(self, dashboard: Dashboard) -> None:
        dashboard.page.clock.install()
        self.page: Page = opened(dashboard, "schedules")
        self.reads = f"{dashboard.system.url}/schedules"
        self.held: list[Route] = []
        self.asked: list[Route] = []
        self.given_up: list[str] = []
        self.page.on("requestfailed", lambda request: self.given_up.append(request.url))

    def hang(self) -> None:
        """Let it stand still from the next read on, which comes now."""
        self.held.clear()
        self.given_up.clear()
        intercept(self.page, self.reads, holding(self.held))
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        wait_until_held(self.page, self.held)

    def lose(self) -> None:
        """Let nobody answer who asks whether somebody is there, until the page says so."""
        self.asked.clear()
        intercept(self.page, "**/healthz", holding(self.asked))
        self.page.clock.fast_forward(4_500)
        wait_until_held(self.page, self.asked)
        self.page.clock.fast_forward(1_500)
        expect(self.page.locator("#connection")).to_have_attribute("data-state", "lost")
        expect(self.page.locator("#banner")).to_contain_text("Disconnected")

    def is_live(self) -> None:
        expect(self.page.locator("#connection")).to_have_attribute("data-state", "live")


def test_a_lost_api_and_a_refusal_are_told_and_pass(lasting_dashboard: Dashboard) -> None:
    lasting_dashboard.page.clock.install()
    page = opened(lasting_dashboard, "schedules")
    read = f"{lasting_dashboard.system.url}/schedules"
    held: list[Route] = []
    intercept(page, read, holding(held))
    page.clock.fast_forward(4_000)
    wait_until_held(page, held)
    page.clock.fast_forward(21_000)  # nothing waits longer for an answer
    expect(page.locator("#banner")).to_contain_text("Disconnected")
    stop_intercepting(page, read)
    refusal = {"title": "Busy", "status": 503, "detail": "The database is locked."}
    intercept(page, read, lambda route: route.fulfill(status=503, json=refusal))
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#problem")).to_have_text("The database is locked.")
    stop_intercepting(page, read)
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#schedule-nightly")).to_be_visible()
    assert lasting_dashboard.never_reloaded()


def test_an_api_that_stands_still_is_told_and_its_return_is_seen_while_reads_still_hang(
    lasting_dashboard: Dashboard,
) -> None:
    """On one page: with a clock of its own, it has a process of its own."""
    hung = Hung(lasting_dashboard)
    it_is_told_as_soon_as_on_the_overview(hung)
    a_read_that_still_hangs_is_made_anew(hung)
    a_read_that_begins_while_nobody_answers_is_made_anew_too(hung)
    try_now_gives_up_a_read_that_hangs_and_asks_anew(hung)


def it_is_told_as_soon_as_on_the_overview(hung: Hung) -> None:
    """A read that takes long is not one that nobody answers."""
    hung.hang()
    with hung.page.expect_response("**/healthz"):
        hung.page.clock.fast_forward(4_500)
    hung.is_live()
    hung.lose()
    hung.held[0].continue_()
    hung.is_live()
    stop_intercepting(hung.page, "**/healthz")
    stop_intercepting(hung.page, hung.reads)  # which lets go what is held


def a_read_that_still_hangs_is_made_anew(hung: Hung) -> None:
    hung.hang()
    hung.lose()
    hung.held.clear()
    with hung.page.expect_response("**/healthz"):
        stop_intercepting(hung.page, "**/healthz")
    hung.is_live()
    wait_until_held(hung.page, hung.held)
    assert hung.given_up.count(hung.reads) == 1, "the first is given up"
    with hung.page.expect_response(hung.reads):
        stop_intercepting(hung.page, hung.reads)


def a_read_that_begins_while_nobody_answers_is_made_anew_too(hung: Hung) -> None:
    """A slow server is read less often, so that it is between two reads that nobody answers."""
    hung.hang()
    hung.page.clock.fast_forward(1_000)
    with hung.page.expect_response(hung.reads):
        hung.held.pop().continue_()
    hung.lose()
    wait_until_held(hung.page, hung.held)
    hung.held.clear()
    with hung.page.expect_response("**/healthz"):
        stop_intercepting(hung.page, "**/healthz")
    hung.is_live()
    wait_until_held(hung.page, hung.held)
    assert hung.given_up.count(hung.reads) == 1, "it is given up"
    with hung.page.expect_response(hung.reads):
        stop_intercepting(hung.page, hung.reads)


def try_now_gives_up_a_read_that_hangs_and_asks_anew(hung: Hung) -> None:
    hung.hang()
    hung.lose()
    page = hung.page
    page.clock.pause_at(page.evaluate("Date.now() + 50"))  # nothing happens by itself from now on
    stop_intercepting(page, hung.reads)
    page.locator("#banner-now").dispatch_event("click")
    hung.is_live()
