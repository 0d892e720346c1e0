"""The overview on a page that stays open from one test of a file to the next.

To open the page costs ten times what it costs to put other workers into it. Once it has been told
that there are none, nor a supervisor, it has forgotten all that it knew of slots, pools and hosts,
but for what is configured: that it reads, and a form tells when it has.
"""

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, LastingContext
from tests.browser.interception import Route, stop_intercepting
from tests.browser.kept_page import Kept
from tests.browser.panel import SYSTEM, Panel, worker
from tests.conftest import System

READ = "/workers?samples=true"
OTHER = "kept"
"""A host that no test has, which has a worker, and in whose configuration is one more pool."""
POOL = {"host": OTHER, "name": "known", "workers": 1, "finishes_within_s": 1.0, "scaled": None}
CONFIGURED = {"items": [], "pools": [POOL], "programs": []}


class OpenPanel(Panel):
    """The panel of workers of a page that is open already, which a test must not load anew."""

    def __init__(self, dashboard: Dashboard) -> None:
        super().__init__(dashboard)
        super().answer(READ, 200, CONFIGURED)
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
        if f"**{READ}" in self._answered:
            super().answer(READ, 200, CONFIGURED)
        self._answered.clear()
        self._tell(worker("kept-1", "kept", host=OTHER), worker("supervisor", None, host=OTHER))
        expect(self.page.locator("#pools [data-pool=known]")).to_be_visible()
        self._tell()
        expect(self.page.locator("#slots .slot")).to_have_count(0)


def kept_panel(lasting: LastingContext, system: System) -> Kept[OpenPanel]:
    return Kept(lasting, system, OpenPanel)
