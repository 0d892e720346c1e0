"""The stream of a page in the hands of a test."""

import json
import re
from typing import Any

from playwright.sync_api import Page, WebSocketRoute


class Stream:
    """The stream on its way to the page: it can be silent, and be told something."""

    def __init__(self, page: Page) -> None:
        self.is_silent = False
        self.workers: list[dict[str, Any]] | None = None
        """What it is told of the workers in place of how they are."""
        self.heard: list[dict[str, Any]] = []
        page.route_web_socket(re.compile("/ws"), self._relay)

    def _relay(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        self._socket = socket

        def pass_on(text: str | bytes) -> None:
            message = json.loads(text)
            self.heard.append(message)
            if self.workers is not None and message["type"] == "heartbeat":
                text = json.dumps(message | {"workers": self.workers})
            if not (self.is_silent and message["type"] in ("events", "summary")):
                socket.send(text)

        server.on_message(pass_on)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events that it was told."""
        return [event for message in self.heard for event in message.get("events", [])]

    def tell(self, **summary: Any) -> None:
        nothing = {"type": "summary", "seq": 10**9, "counts": {}, "changed": {}, "events": []}
        self._socket.send(json.dumps(nothing | summary))

    def cut(self) -> None:
        """Close it, as an API does that ends."""
        self._socket.close()

    def tell_events(self, *events: dict[str, Any]) -> None:
        self._socket.send(json.dumps({"type": "events", "events": events}))
