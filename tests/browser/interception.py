"""Answer calls of a page in the place of the API.

Playwright's `page.route` does that too, but it turns off the browser's cache and sends every
request, of a script as of a picture, through two more processes: a page then costs two to three
times the processor time. Here only the calls that a test asks for leave the browser.
"""

import base64
import json as json_module
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import httpx2
from playwright.sync_api import CDPSession, Error, Page

Handler = Callable[["Route"], object]

_GONE = ("Invalid InterceptionId", "has been closed", "Session closed")
"""What Chromium and Playwright say of a call whose page has left it, or was closed."""
_OF_THIS_ANSWER = ("content-encoding", "content-length", "transfer-encoding", "connection")


@dataclass(frozen=True)
class Request:
    """What the page asked for."""

    url: str
    method: str
    headers: dict[str, str]
    post_data: str | None

    @property
    def post_data_json(self) -> Any:
        return json_module.loads(self.post_data or "null")


class Route:
    """A call that waits for its answer. It gets one at once, later, or never."""

    def __init__(self, session: CDPSession, paused: dict[str, Any]) -> None:
        asked = paused["request"]
        self.request = Request(
            asked["url"], asked["method"], asked["headers"], asked.get("postData")
        )
        self._session, self._id = session, paused["requestId"]

    def fulfill(
        self,
        *,
        response: httpx2.Response | None = None,
        status: int | None = None,
        json: Any = None,
        body: str | None = None,
    ) -> None:
        """Answer it. `json` or `body`: the text; without either that of `response`."""
        headers = {"content-type": "application/json"}
        if response is not None:
            headers = {k: v for k, v in response.headers.items() if k not in _OF_THIS_ANSWER}
            status = status or response.status_code
            body = response.text if body is None else body
        text = body if json is None and body is not None else json_module.dumps(json)
        self._end(
            "Fetch.fulfillRequest",
            responseCode=status or 200,
            responseHeaders=[{"name": k, "value": v} for k, v in headers.items()],
            body=base64.b64encode(text.encode()).decode(),
        )

    def abort(self) -> None:
        """Let it fail, as without a network."""
        self._end("Fetch.failRequest", errorReason="Failed")

    def continue_(self) -> None:
        """Send it to the API after all."""
        self._end("Fetch.continueRequest")

    def fetch(self) -> httpx2.Response:
        """Send it to the API, without cookies; return the answer, which the page has not yet."""
        asked = self.request
        return httpx2.request(
            asked.method, asked.url, headers=asked.headers, content=asked.post_data, timeout=60
        )

    def _end(self, command: str, **values: Any) -> None:
        try:
            self._session.send(command, {"requestId": self._id, **values})
        except Error as error:
            if not any(gone in error.message for gone in _GONE):
                raise


class _Calls:
    """The handlers of a page, the newest first."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.on("Fetch.requestPaused", self._paused)
        self._handlers: list[tuple[str, Handler]] = []

    def add(self, pattern: str, handler: Handler) -> None:
        self._handlers.insert(0, (pattern, handler))
        self._tell()

    def _tell(self) -> None:
        asked = [
            {"urlPattern": re.sub(r"\*+", "*", one.replace("?", r"\?")), "resourceType": "Fetch"}
            for one, _ in self._handlers
        ]
        self._session.send("Fetch.enable", {"patterns": asked})

    def _paused(self, paused: dict[str, Any]) -> None:
        route = Route(self._session, paused)
        for pattern, handler in self._handlers:
            if _matches(pattern, route.request.url):
                handler(route)
                return
        route.continue_()


_CALLS: WeakKeyDictionary[Page, _Calls] = WeakKeyDictionary()


def intercept(page: Page, pattern: str, handler: Handler) -> None:
    """Give every `fetch` of the page whose URL matches to `handler`, also of documents to come.

    `pattern`: a whole URL, in which `**` stands for anything and `*` for anything without `/`. It
    goes before the ones that were given earlier.
    """
    if page not in _CALLS:
        _CALLS[page] = _Calls(page)
    _CALLS[page].add(pattern, handler)


def _matches(pattern: str, url: str) -> bool:
    parts = re.split(r"(\*+)", pattern)
    either = {"**": ".*", "*": "[^/]*"}
    return re.fullmatch("".join(either.get(one, re.escape(one)) for one in parts), url) is not None
