"""The page of the queues, which are made up, and which stays open from one test to the next."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, LastingContext
from tests.browser.interception import Route, intercept
from tests.browser.kept_page import Calls, Kept
from tests.conftest import System

READ = "document.dispatchEvent(new Event('visibilitychange'))"


class MadeUpQueues:
    """What the API says of the queues is in the hands of a test."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.dashboard = dashboard
        self.page: Page = dashboard.page
        self.queues: list[dict[str, Any]] = []
        intercept(self.page, "**/queues", self._answer)
        self._calls = Calls(self.page)
        dashboard.open("/ui/queues")

    def _answer(self, route: Route) -> None:
        route.fulfill(json={"items": self.queues})

    def show(self, *queues: dict[str, Any]) -> Page:
        """Let the page read these at once."""
        self.queues = list(queues)
        self.page.evaluate(READ)
        self._calls.wait()
        expect(self.page.locator("#rows tr")).to_have_count(len(queues))
        return self.page

    def row(self, queue: str) -> Any:
        return self.page.locator(f"#queue-{queue}")

    def forget(self) -> None:
        self.show()


@pytest.fixture(scope="module", name="shared_queues")
def kept_queues(
    lasting_context: LastingContext, lasting_system: System
) -> Iterator[Kept[MadeUpQueues]]:
    kept = Kept(lasting_context, lasting_system, MadeUpQueues)
    yield kept
    kept.end()


@pytest.fixture(name="made_up")
def lent_queues(
    shared_queues: Kept[MadeUpQueues], request: pytest.FixtureRequest
) -> Iterator[MadeUpQueues]:
    yield from shared_queues.lend(request.session)
