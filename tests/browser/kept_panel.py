"""The overview on a page that stays open from one test of a file to the next.

To open the page costs ten times what it costs to put other workers into it. Once it has been told
that there are none, nor a supervisor, it has forgotten all that it knew of slots, pools and hosts.
"""

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, LastingContext
from tests.browser.interception import Route, stop_intercepting
from tests.browser.kept_page import Kept
from tests.browser.panel import SYSTEM, Panel, worker
from tests.conftest import System


class OpenPanel(Panel):
    """The panel of workers of a page that is open already, which a test must not load anew."""

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
        for pattern in self._answered:
            stop_intercepting(self.page, pattern)
        self._answered.clear()
        self._tell()
        expect(self.page.locator("#slots .slot")).to_have_count(0)


def kept_panel(lasting: LastingContext, system: System) -> Kept[OpenPanel]:
    return Kept(lasting, system, OpenPanel)
