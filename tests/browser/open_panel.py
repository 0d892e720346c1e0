"""The overview, opened once for the tests of a file: each of them puts its workers into it.

To open it takes four times the processor time of a new stream on a page that is open.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Handler, Route, intercept, stop_intercepting
from tests.browser.panel import Panel
from tests.conftest import System


class OpenPanel(Panel):
    """A panel whose page stays open from test to test, with nothing in it in between."""

    def __init__(self, dashboard: Dashboard) -> None:
        super().__init__(dashboard)
        self._is_open = False
        self._intercepted: set[str] = set()
        self._has_alerts = False

    def open(self, *workers: dict[str, Any]) -> Page:
        """Show these workers, and let the page ask for all it asks for when it is opened."""
        if not self._is_open:
            self._is_open = True
            return super().open(*workers)
        self.workers = list(workers)
        with self.page.expect_response("**/workers?samples=true"):
            self.cut()
        if self._has_alerts:  # the page asks for them anew after an event that is about no job
            for action in ("pause", "resume"):
                self.dashboard.system.client.post(f"/queues/looked-at/{action}")
        self.row(workers[0]["slot"]).first.wait_for()
        self.page.locator("#connection[data-state=live]").wait_for()
        return self.page

    def answer(self, path: str, status: int, body: dict[str, Any]) -> list[Route]:
        self._intercepted.add(f"**{path}")
        self._has_alerts = self._has_alerts or path == "/alerts"
        return super().answer(path, status, body)

    def intercept(self, pattern: str, handler: Handler) -> None:
        """Let `handler` answer what matches, until the test has ended."""
        self._intercepted.add(pattern)
        intercept(self.page, pattern, handler)

    def clear(self) -> None:
        """Take away all that a test has put into the page."""
        if self.page.locator("dialog[open]").count():
            self.page.keyboard.press("Escape")
        for pattern in self._intercepted:
            stop_intercepting(self.page, pattern)
        self._intercepted.clear()
        self._has_alerts = False
        self.page.set_viewport_size({"width": 1280, "height": 720})
        self.workers = []
        expect(self.page.locator("#slots .slot")).to_have_count(0)
        assert self.dashboard.never_reloaded() or not self._is_open
        assert self.dashboard.problems == []


@pytest.fixture(scope="module", name="shared_panel")
def opened_once(
    browser: Browser, browser_context_args: dict[str, Any], lasting_system: System
) -> Iterator[OpenPanel]:
    page = browser.new_page(**browser_context_args)
    yield OpenPanel(Dashboard(page, lasting_system))
    page.close()


@pytest.fixture(name="panel")
def cleared(shared_panel: OpenPanel) -> Iterator[OpenPanel]:
    """The overview as if it had just been opened."""
    yield shared_panel
    shared_panel.clear()
