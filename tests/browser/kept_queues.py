"""The page of the queues, which are made up, and which stays open from one test to the next."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, LastingContext
from tests.browser.interception import Route, intercept
from tests.browser.kept_page import Kept
from tests.conftest import System

READ = "document.dispatchEvent(new Event('visibilitychange'))"


class MadeUpQueues:
    """What the API says of the queues is in the hands of a test."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.dashboard = dashboard
        self.page: Page = dashboard.page
        self.queues: list[dict[str, Any]] = []
        intercept(self.page, "**/queues", self._answer)
        dashboard.open("/ui/queues")

    def _answer(self, route: Route) -> None:
        route.fulfill(json={"items": self.queues})

    def show(self, *queues: dict[str, Any]) -> Page:
        """Let the page read these at once."""
        self.queues = list(queues)
        self.page.evaluate(READ)
        rows = self.page.locator("#rows tr")
        expect(rows).to_have_count(len(queues))
        expect(self.page.locator("#rows[aria-busy]")).to_have_count(0)
        return self.page

    def row(self, queue: str) -> Any:
        return self.page.locator(f"#queue-{queue}")

    def forget(self) -> None:
        search = self.page.locator("#search")
        if search.input_value():
            search.fill("")
            expect(self.page).to_have_url(re.compile("/ui/queues$"))
        self.show()


def kept_queues(lasting: LastingContext, system: System) -> Kept[MadeUpQueues]:
    return Kept(lasting, system, MadeUpQueues)
