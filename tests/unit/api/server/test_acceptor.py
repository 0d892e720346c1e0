"""What happens when a connection cannot be accepted."""

import asyncio
import errno
import socket
from typing import Any

import pytest

from orpheus.api.http.open_connections import OpenConnections
from orpheus.api.server.acceptor import Acceptor
from tests.captured_logs import capture_logs
from tests.machine import PATIENCE_S


class Exhausted(socket.socket):
    """A listener that lacks descriptors for so many calls."""

    failures_left = 0
    failed: asyncio.Event

    def accept(self) -> Any:
        if self.failures_left:
            self.failures_left -= 1
            self.failed.set()
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


@pytest.mark.parametrize("failures", [0, 1, 5])
def test_it_accepts_as_soon_as_there_is_a_descriptor_and_logs_once(failures: int) -> None:
    closed: list[int] = []
    connections = OpenConnections(10, 10)
    for number in range(3):
        connections.add(lambda number=number: closed.append(number))  # type: ignore[misc]

    async def serve() -> None:
        accepted = asyncio.Event()

        class Greeting(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                transport.close()
                accepted.set()

        with Exhausted() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(8)
            listener.failures_left, listener.failed = failures, asyncio.Event()
            acceptor = Acceptor(listener, Greeting, connections)
            acceptor.start()
            with socket.create_connection(listener.getsockname()):
                async with asyncio.timeout(PATIENCE_S):
                    await accepted.wait()
            acceptor.stop()

    with capture_logs() as logged:
        asyncio.run(serve())
    assert closed == list(range(min(failures, 3)))
    assert [line["event"] for line in logged] == ["cannot_accept"] * min(failures, 1)
