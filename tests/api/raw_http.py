"""Raw HTTP over sockets, for requests that no client library sends."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.machine import slowness

ADDRESS = "127.0.0.1"


@contextmanager
def sockets(
    api: Any, count: int, receive_bytes: int | None = None
) -> Iterator[list[socket.socket]]:
    """So many connections, with a small window for what comes back if wanted."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            if receive_bytes is not None:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            one.settimeout(20)
            one.connect((ADDRESS, api.port))
            opened.append(one)
        yield opened


def raw(api: Any, request: bytes) -> bytes:
    """All that comes back for exactly these bytes, until the server closes."""
    with sockets(api, 1) as (one,):
        one.sendall(request)
        return read_all(one)


def read_all(one: socket.socket) -> bytes:
    answer = b""
    try:
        while chunk := one.recv(65_536):
            answer += chunk
    except ConnectionResetError:  # closed while we were sending
        pass
    return answer


def answers_at_once(api: Any) -> bool:
    """Whether everybody else is served as ever."""
    began_s = time.monotonic()
    assert api.client.get("/jobs").status_code == 200
    assert api.client.post("/jobs", json={"type": "add"}).status_code == 201
    return time.monotonic() - began_s < 2 * slowness()
