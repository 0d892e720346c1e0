"""The overview on a page that stays open from one test of a file to the next.

To open the page costs ten times what it costs to put other workers into it. Once it has been told
that there are none, nor a supervisor, it has forgotten all that it knew of slots, pools and hosts,
but for what is configured: that it reads, and a form tells when it has. The figures and the alerts
it reads after any event of the system.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, LastingContext
from tests.browser.interception import Handler, Route, intercept, stop_intercepting
from tests.browser.kept_page import Calls, Kept
from tests.browser.panel import SYSTEM, Panel, worker
from tests.conftest import System

READ = "/workers?samples=true"
OTHER = "kept"
"""A host that no test has, which has a worker, and in whose configuration is one more pool."""
POOL = {"host": OTHER, "name": "known", "workers": 1, "finishes_within_s": 1.0, "scaled": None}
CONFIGURED = {"items": [], "pools": [POOL], "programs": []}
EVENTS = {"type": "events", "events": [{"kind": "queue.resumed", "seq": 0}]}
"""Of no place in the stream, about a queue without a name."""


class OpenPanel(Panel):
    """The panel of workers of a page that is open already, which a test must not load anew."""

    def __init__(self, dashboard: Dashboard) -> None:
        super().__init__(dashboard)
        super().answer(READ, 200, CONFIGURED)
        self._answered: list[str] = []
        self._calls = Calls(self.page)
        super().open(worker("kept-1"), *SYSTEM)

    def open(self, *workers: dict[str, Any]) -> Page:
        """Show these workers, and let the page read all that it reads when it is opened."""
        self._tell(*workers)
        self.row(workers[0]["slot"]).first.wait_for()
        self._calls.wait()
        return self.page

    def answer(self, path: str, status: int, body: dict[str, Any]) -> list[Route]:
        self._answered.append(f"**{path}")
        return super().answer(path, status, body)

    def intercept(self, pattern: str, handler: Handler) -> None:
        """Let `handler` answer what matches, until the test has ended."""
        self._answered.append(pattern)
        intercept(self.page, pattern, handler)

    def _tell(self, *workers: dict[str, Any]) -> None:
        """Tell it at once which workers there are, and not with the next heartbeat."""
        self.workers = list(workers)
        beat = {"type": "heartbeat", "counts": {}, "workers": self.workers}
        for message in (EVENTS, beat):
            self._socket.send(json.dumps(message))

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
        self._calls.wait()


@pytest.fixture(scope="module", name="shared_panel")
def kept_panel(
    lasting_context: LastingContext, lasting_system: System
) -> Iterator[Kept[OpenPanel]]:
    kept = Kept(lasting_context, lasting_system, OpenPanel)
    yield kept
    kept.end()


@pytest.fixture(name="panel")
def lent_panel(
    shared_panel: Kept[OpenPanel], request: pytest.FixtureRequest
) -> Iterator[OpenPanel]:
    yield from shared_panel.lend(request.session)
