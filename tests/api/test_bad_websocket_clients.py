"""WebSocket clients that break the protocol, or that do not read what they asked for."""

import gc
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import socket
from typing import Any

import pytest

from tests.api.raw_http import read_all, sockets
from tests.machine import wait_until

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(first: int, payload: bytes, *, masked: bool = True) -> bytes:
    """A frame whose mask changes nothing."""
    mask = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, mask | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + (bytes(4) if masked else b"") + payload


TEXT, BINARY, CLOSE, PING, CONTINUATION = 0x81, 0x82, 0x88, 0x89, 0x80


@contextmanager
def websocket(api: Any, receive_bytes: int | None = None) -> Iterator[socket]:
    """A raw WebSocket after its handshake."""
    with sockets(api, 1, receive_bytes) as (one,):
        one.sendall(HANDSHAKE)
        head = b""
        while b"\r\n\r\n" not in head:
            head += one.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield one


def test_pings_of_a_client_that_reads_no_pong_are_not_kept(api: Any, wait_for: Any) -> None:
    pings = frame(PING, b"x" * 125) * 1_000
    with websocket(api, receive_bytes=4_096) as one:
        (protocol,) = [
            c for c in api._server.server_state.connections if type(c).__name__ == "StreamProtocol"
        ]
        kept = []
        with suppress(ConnectionResetError):  # cut off, if the machine is busy
            for _ in range(150):  # 20 MB
                one.sendall(pings)
                kept.append(protocol.transport.get_write_buffer_size())
    assert len(kept) > 20
    assert max(kept) < 1_000_000


def close_code(one: socket) -> int | None:
    """The code of the close frame that comes last; None without one. Text frames are skipped."""
    received = read_all(one)
    code = None
    while len(received) >= 2:
        first, size, start = received[0], received[1] & 0x7F, 2
        if size == 126:
            size, start = struct.unpack_from("!H", received, 2)[0], 4
        elif size == 127:
            size, start = struct.unpack_from("!Q", received, 2)[0], 10
        payload, received = received[start : start + size], received[start + size :]
        if first == CLOSE:
            code = struct.unpack_from("!H", payload)[0]
    return code


NORMAL_CLOSE = frame(CLOSE, struct.pack("!H", 1000))
BROKEN = {
    "unmasked": (1002, [frame(TEXT, b"hi", masked=False)]),
    "unmasked, much later": (1002, [frame(TEXT, b"hi"), frame(TEXT, b"hi", masked=False)]),
    "reserved bit": (1002, [frame(0xC1, b"hi")]),
    "unknown opcode": (1002, [frame(0x83, b"hi")]),
    "long ping": (1002, [frame(PING, b"x" * 126)]),
    "ping in parts": (1002, [frame(0x09, b"x")]),
    "part of nothing": (1002, [frame(CONTINUATION, b"x")]),
    "text within text": (1002, [frame(0x01, b"x"), frame(TEXT, b"x")]),
    "no code": (1002, [frame(CLOSE, b"x")]),
    "bad code": (1002, [frame(CLOSE, struct.pack("!H", 1005))]),
    "bad reason": (1007, [frame(CLOSE, struct.pack("!H", 1000) + b"\xff")]),
    "long text": (1009, [frame(TEXT, b"x" * 70 * 1024)]),
    "long text in parts": (1009, [frame(0x01, b"x" * 40_000), frame(CONTINUATION, b"x" * 40_000)]),
    "a close": (1000, [NORMAL_CLOSE]),
}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged from here on.

    If another test has left a task whose error nobody asked for, that is told when it is collected:
    now, and not while the test looks.
    """
    gc.collect()
    return caplog


@pytest.mark.parametrize(("code", "sent"), BROKEN.values(), ids=list(BROKEN))
def test_whoever_breaks_the_protocol_is_told_so_by_a_close(
    api: Any, log: pytest.LogCaptureFixture, code: int, sent: list[bytes]
) -> None:
    for _ in range(10):
        with websocket(api) as one:
            for part in sent:
                one.sendall(part)
            assert close_code(one) == code
    assert not log.records


def test_whoever_is_not_let_in_leaves_no_error_in_the_log(
    api: Any, log: pytest.LogCaptureFixture
) -> None:
    with sockets(api, 1) as (one,):
        one.sendall(HANDSHAKE.replace(b"/ws", b"/ws?after=x"))
        assert read_all(one).startswith(b"HTTP/1.1 422 ")
    wait_until(lambda: not api._server.server_state.tasks, "the handshake to be over")
    assert not [record for record in log.records if record.levelname == "ERROR"]


def test_whoever_breaks_the_protocol_before_it_is_let_in_is_cut_off(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("orpheus.api.http.auth.WRONG_TOKEN_S", 10.0)
    api = start(token="t" * 32)
    with sockets(api, 1) as (one,):
        one.sendall(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer x\r\n\r\n"))
        protocols = api._server.server_state.connections
        wait_until(lambda: "StreamProtocol" in {type(p).__name__ for p in protocols}, "the upgrade")
        one.sendall(frame(TEXT, b"hi", masked=False))
        assert read_all(one) == b""
    assert not [record for record in log.records if record.levelname == "ERROR"]
