"""The overview as a test wants it: `Panel` puts workers into the stream on its way to the page."""

import json
import re
from typing import Any

from playwright.sync_api import Page, WebSocketRoute

from tests.browser.interception import Route, intercept

Workers = list[dict[str, Any]]


def worker(slot: str, pool: str | None = "default", **fields: Any) -> dict[str, Any]:
    """A worker at rest, as GET /workers shows it but for `recent_exits`."""
    return {
        "host": "host-1",
        "slot": slot,
        "pool": pool,
        "state": "ready",
        "degraded": False,
        "reason": "",
        "order": None,
        "waits": "",
        "why": fields.get("reason", ""),
        "rejected": None,
        "pid": 4711,
        "incarnation": "one",
        "job": None,
        "runs_alone": False,
        "heartbeat_age_s": 0.5,
        "silent": False,
        "cpu_percent": 3.2,
        "rss_bytes": 47_000_000,
        "uptime_s": 321.0,
        "jobs_done": 12,
        "restarts": 0,
        "last_exit": None,
        "last_failure": None,
        "leaves": False,
        "ended": False,
        "until": None,
        **fields,
    }


SYSTEM = [worker("api", None), worker("supervisor", None)]


class Panel:
    """The overview with `workers` in the place of the real ones, and no jobs."""

    def __init__(self, dashboard: Any) -> None:
        self.dashboard = dashboard
        self.page: Page = dashboard.page
        self.workers: Workers = []
        self.page.route_web_socket(re.compile("/ws"), self._relay)

    def _relay(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            message = json.loads(text)
            if "workers" in message:
                message["workers"] = self.workers
                message["counts"] = dict.fromkeys(message["counts"], 0)
            socket.send(json.dumps(message))

        server.on_message(pass_on)

    def open(self, *workers: dict[str, Any]) -> Page:
        self.workers = list(workers)
        page: Page = self.dashboard.open()
        self.row(workers[0]["slot"]).first.wait_for()
        return page

    def row(self, slot: str) -> Any:
        return self.page.locator("#slots .slot").filter(has=self.page.get_by_text(slot, exact=True))

    def unfold(self, slot: str) -> Any:
        """Its actions and exits."""
        self.row(slot).locator(".more").click()
        return self.page.locator(f"[id='more-{slot}']")

    def answer(self, path: str, status: int, body: dict[str, Any]) -> list[Route]:
        """Answer calls of `path` so; the calls as they come."""
        calls: list[Route] = []

        def fulfill(route: Route) -> None:
            calls.append(route)
            route.fulfill(status=status, json=body)

        intercept(self.page, f"**{path}", fulfill)
        return calls
