"""What a service manager is told, with a real datagram socket in its place."""

import os
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.supervisor.linux.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """NOTIFY_SOCKET and the socket behind it."""
    name = f"@{uuid.uuid4().hex}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(name.replace("@", "\0", 1))
        server.settimeout(5)
        yield name, server


@pytest.fixture
def received(manager: tuple[str, socket.socket]) -> Iterator[tuple[Notifier, socket.socket]]:
    notifier = Notifier({"NOTIFY_SOCKET": manager[0], "WATCHDOG_USEC": "20000000"})
    yield notifier, manager[1]
    close(notifier)


def close(notifier: Notifier) -> None:
    if notifier._socket is not None:
        notifier._socket.close()


def fields(server: socket.socket) -> dict[str, str]:
    lines = server.recv(4_096).decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


def silent(server: socket.socket) -> bool:
    server.setblocking(False)
    try:
        server.recv(4_096)
    except BlockingIOError:
        return True
    return False


def test_the_states_of_a_service_are_sent(received: tuple[Notifier, socket.socket]) -> None:
    notifier, server = received
    notifier.ready("5 of 5 slots are ready")
    assert fields(server) == {"READY": "1", "STATUS": "5 of 5 slots are ready"}
    notifier.status("default-1 is in a crash loop")
    assert fields(server) == {"STATUS": "default-1 is in a crash loop"}
    notifier.stopping()
    assert fields(server) == {"STOPPING": "1"}


def test_a_reload_is_sent_with_the_time_on_the_monotonic_clock(
    received: tuple[Notifier, socket.socket],
) -> None:
    notifier, server = received
    notifier.ready("")
    assert fields(server)["READY"] == "1"
    before = time.monotonic_ns() // 1_000
    notifier.reloading()
    told = fields(server)
    assert told["RELOADING"] == "1"
    assert before <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1_000
    notifier.reloaded("1 of 1 workers ready")
    assert fields(server) == {"READY": "1", "STATUS": "1 of 1 workers ready"}


def test_children_do_not_inherit_the_variables() -> None:
    environ = {
        "NOTIFY_SOCKET": "/nowhere",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "PATH": "/bin",
    }
    close(Notifier(environ))
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("2000000", None, True),
        ("2000000", "own", True),
        ("2000000", "1", False),
        ("", None, False),
        ("0", None, False),
        ("soon", None, False),
    ],
)
def test_a_watchdog_is_notified_if_it_is_ours(
    manager: tuple[str, socket.socket], usec: str, pid: str | None, expected: bool
) -> None:
    address, server = manager
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": usec}
    if pid is not None:
        environ["WATCHDOG_PID"] = str(os.getpid()) if pid == "own" else pid
    notifier = Notifier(environ)
    notifier.turned(1.0)
    assert silent(server) is not expected
    close(notifier)


@pytest.mark.parametrize("address", ["/no/such/socket", "/" + "x" * 200, "vsock:2:1234"])
def test_a_missing_service_manager_is_no_error(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"})
    notifier.ready("well")
    notifier.reloading()
    notifier.turned(1.0)
    close(notifier)


def test_a_service_manager_that_does_not_read_blocks_nothing(
    manager: tuple[str, socket.socket],
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager[0], "WATCHDOG_USEC": "2000000"})
    for _ in range(2_000):  # more than the kernel keeps
        notifier.status("x" * 1_000)
    notifier.turned(1.0)
    server = manager[1]
    while not silent(server):
        pass
    notifier.turned(1.1)
    assert not silent(server), "what could not be told is told with the next turn"
    close(notifier)
