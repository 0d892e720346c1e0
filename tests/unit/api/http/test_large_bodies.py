"""Many large bodies at once: few are parsed, some wait for them, and the rest is refused."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from orpheus.api.http.guard import Guard, GuardRules
from orpheus.api.http.scope import BODY, json_body
from tests.machine import PATIENCE_S

LARGEST = 200_000
TEXT = b'"%s"' % (b"x" * 98_998)
"""Two of it are no larger than the largest, and ten than five times that."""


class Sender:
    """Sends requests to a guard; the application behind it holds each until `may_end`."""

    def __init__(self) -> None:
        self._guard = Guard(
            self._app, GuardRules(frozenset({"localhost"}), frozenset(), 1, LARGEST)
        )
        self._inside = self.most_inside = 0
        self.entered = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self._inside += 1
        self.most_inside = max(self.most_inside, self._inside)
        self.entered.release()
        assert json_body(scope).startswith("x")
        await self.may_end.wait()
        self._inside -= 1
        await Response(status_code=201)(scope, receive, send)

    async def send(self, *parts: bytes, wait: Callable[[], Any] | None = None) -> Any:
        """Send a body; `wait` before its last part. Return the status."""
        messages = [{"type": "http.request", "body": one, "more_body": True} for one in parts]
        messages[-1]["more_body"] = False
        statuses: list[int] = []

        async def receive() -> Any:
            if wait is not None and len(messages) == 1:
                await wait()
            return messages.pop(0)

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/jobs/batch", "headers": headers}
        await self._guard(scope, receive, send)
        assert BODY not in scope, "the server keeps the scope"
        return statuses[0]


def run(test: Callable[[Sender], Any]) -> None:
    async def run_inside() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test(Sender())

    asyncio.run(run_inside())


def test_of_many_at_once_few_are_parsed_some_wait_and_the_rest_is_refused() -> None:
    async def many(sender: Sender) -> None:
        sent = [asyncio.create_task(sender.send(TEXT)) for _ in range(16)]
        await sender.entered.acquire()
        await sender.entered.acquire()
        for _ in range(20):  # what else is parsed enters meanwhile
            await asyncio.to_thread(int)
        sender.may_end.set()
        statuses = await asyncio.gather(*sent)
        assert statuses == [201] * 10 + [503] * 6
        assert sender.most_inside == 2
        again = await asyncio.gather(*(sender.send(TEXT) for _ in range(10)))
        assert again == [201] * 10, "all that was held is free again"

    run(many)


def test_one_that_is_sent_slowly_keeps_no_other_from_its_answer() -> None:
    async def slow(sender: Sender) -> None:
        sender.may_end.set()
        goes_on = asyncio.Event()
        slowly = asyncio.create_task(sender.send(TEXT[:-1], TEXT[-1:], wait=goes_on.wait))
        await asyncio.sleep(0)
        assert await sender.send(TEXT) == 201
        goes_on.set()
        assert await slowly == 201

    run(slow)


def test_one_that_is_not_json_gives_back_what_it_took() -> None:
    async def bad(sender: Sender) -> None:
        sender.may_end.set()
        for _ in range(12):
            assert await sender.send(b"[" + TEXT) == 400
        assert await sender.send(TEXT) == 201

    run(bad)
