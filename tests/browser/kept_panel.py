"""The overview on a page that stays open from one test of a file to the next.

To open the page costs ten times what it costs to put other workers into it. Once it has been told
that there are none, nor a supervisor, it has forgotten all that it knew of slots, pools and hosts.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import Dashboard, LastingContext
from tests.browser.interception import Route, stop_intercepting
from tests.browser.panel import SYSTEM, Panel, worker
from tests.conftest import System

SIZE: ViewportSize = {"width": 1280, "height": 720}
AS_NEW = """() => {
    document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
    document.activeElement.blur();
    scrollTo(0, 0);
}"""


class OpenPanel(Panel):
    """What a test gets of a page that is open already: it must not load it anew."""

    def __init__(self, dashboard: Dashboard) -> None:
        super().__init__(dashboard)
        self._answered: list[str] = []
        super().open(worker("kept-1"), *SYSTEM)

    def open(self, *workers: dict[str, Any]) -> Page:
        self._tell(*workers)
        self.row(workers[0]["slot"]).first.wait_for()
        return self.page

    def answer(self, path: str, status: int, body: dict[str, Any]) -> list[Route]:
        self._answered.append(f"**{path}")
        return super().answer(path, status, body)

    def _tell(self, *workers: dict[str, Any]) -> None:
        """Tell it at once which workers there are, and not with the next heartbeat."""
        self.workers = list(workers)
        beat = {"type": "heartbeat", "counts": {}, "workers": self.workers}
        self._socket.send(json.dumps(beat))

    def forget(self) -> None:
        """Be as it was when it was opened."""
        for pattern in self._answered:
            stop_intercepting(self.page, pattern)
        self._answered.clear()
        self.page.evaluate(AS_NEW)
        self._tell()
        expect(self.page.locator("#slots .slot")).to_have_count(0)
        self.page.mouse.move(0, 0)
        self.page.set_viewport_size(SIZE)


class KeptPanel:
    """The page; a new one after a test that failed, or that had its own and so closed this one."""

    def __init__(self, lasting: LastingContext, system: System) -> None:
        self._lasting, self._system = lasting, system
        self._panel: OpenPanel | None = None

    def lend(self, session: pytest.Session) -> Iterator[Panel]:
        """Give it to a test, and see that no error was written in it."""
        if self._panel is None or self._panel.page.is_closed():
            page = self._lasting.context.new_page()
            self._panel = OpenPanel(Dashboard(page, self._system))
            self._panel.forget()
        panel, failed = self._panel, session.testsfailed
        yield panel
        self._panel = None
        if session.testsfailed == failed:
            panel.forget()
            assert panel.dashboard.problems == []
            self._panel = panel
        else:
            panel.page.close()

    def end(self) -> None:
        self._lasting.clean()
