"""Clients of an API that does not come back are answered; of one that does, they wait for it."""

import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import httpx2
import psutil
import pytest

from orpheus.supervisor.__main__ import run
from tests.machine import PATIENCE_S

WaitFor = Callable[..., Any]


@pytest.fixture
def system(start_system: Callable[..., Any]) -> Any:
    system = start_system(
        "pools.default.workers=1",
        "supervisor.crash_loop_failures=2",
        "supervisor.restart_backoff_max=120",
    )
    system.wait_until_ready()
    return system


def api_of(system: Any) -> psutil.Process | None:
    """The API's process, once it is started."""
    for child in psutil.Process(system.process.pid).children():
        with suppress(psutil.Error):  # it has just ended
            if "orpheus.api" in " ".join(child.cmdline()):
                return child
    return None


def kill_api(system: Any, wait_for: WaitFor) -> int:
    """Kill the API once it is started; its pid."""
    api = wait_for(lambda: api_of(system), "the API to be started")
    api.kill()
    return int(api.pid)


def is_told(system: Any) -> bool:
    """Whether a client is answered 503."""
    with suppress(httpx2.TimeoutException):
        answer = httpx2.get(f"{system.url}/healthz", trust_env=False, timeout=5)
        return answer.status_code == 503
    return False


def is_out(system: Any, killed: set[int]) -> bool:
    """Kill the API, if it is started, and note its pid; whether it is out."""
    if (api := api_of(system)) is not None:
        api.kill()
        killed.add(api.pid)
    return "api_is_out" in system.log()


def test_an_api_killed_once_is_waited_for_and_clients_of_a_crash_loop_are_told_to_come_back(
    system: Any, wait_for: WaitFor
) -> None:
    killed = {kill_api(system, wait_for)}
    answer = httpx2.get(f"{system.url}/healthz", trust_env=False, timeout=PATIENCE_S)
    assert answer.status_code == 200
    assert "api_is_out" not in system.log()
    wait_for(lambda: is_out(system, killed), "it to be given up")
    assert len(killed) in (2, 3), "the first may have been up for so long that it does not count"
    wait_for(lambda: is_told(system), "clients to be told")
    everybody_is_told(system)

    database = f"database.url=sqlite:///{system.database}"
    assert run(["restart", "api", "--set", database]) == 0
    wait_for(lambda: system.client.get("/healthz").status_code == 200, "the API")
    for _ in range(20):
        answer = httpx2.get(f"{system.url}/healthz", trust_env=False, timeout=PATIENCE_S)
        assert answer.status_code == 200
    assert system.stop() == 0


def everybody_is_told(system: Any) -> None:
    port = int(system.url.rpartition(":")[2])
    with ExitStack() as stack:
        for _ in range(200):  # that say nothing
            stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
        for call, path, body in (
            ("GET", "/healthz", b""),
            ("POST", "/jobs", b"x" * 1_000_000),
            ("HEAD", "/jobs", b""),
        ):
            answer = httpx2.request(
                call, system.url + path, content=body, trust_env=False, timeout=PATIENCE_S
            )
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "5"
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert call == "HEAD" or "orpheus status" in answer.json()["detail"]
