"""More clients than may be, and than descriptors: those with a token and probes are served."""

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.raw_http import ADDRESS, read_all, sockets
from tests.api.real_processes import Orpheus
from tests.machine import PATIENCE_S, slowness
from tests.variants import variants

TOKEN = "the-token-of-this-test-0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HEAD = b" HTTP/1.1\r\nHost: localhost\r\n"
SENT = {
    "nothing": b"",
    "half a request": b"GET /jobs" + HEAD,
    "no token": b"GET /jobs" + HEAD + b"\r\n",
    "a wrong token": b"GET /jobs" + HEAD + b"Authorization: Bearer x\r\n\r\n",
    "a probe": b"GET /healthz" + HEAD + b"\r\n",
    "a WebSocket with a wrong token": b"GET /ws" + HEAD + b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer x\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
}


def status_of(api: Any, path: str, **headers: str) -> int:
    """The status for a client that has no connection yet."""
    url = f"http://{ADDRESS}:{api.port}{path}"
    with httpx2.Client(trust_env=False, timeout=PATIENCE_S, verify=False) as client:
        return client.get(url, headers=headers).status_code


@pytest.mark.parametrize("times", variants([15, 30], 15))
@pytest.mark.parametrize("sent", SENT.values(), ids=list(SENT))
def test_clients_without_the_token_keep_out_no_client_that_has_it(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, sent: bytes, times: int
) -> None:
    monkeypatch.setattr("orpheus.api.http.auth.WRONG_TOKEN_S", PATIENCE_S)
    api = start(token=TOKEN, max_clients=60)
    with sockets(api, 60) as others:
        for one in others:
            one.sendall(sent)
        for _ in range(times):
            assert status_of(api, "/jobs", **BEARER) == 200
        assert status_of(api, "/healthz") == 200


def test_a_401_closes_its_connection(start: Callable[..., Any]) -> None:
    api = start(token=TOKEN)
    with sockets(api, 1) as (one,):
        one.sendall(SENT["no token"])
        answer = read_all(one)
    assert answer.startswith(b"HTTP/1.1 401 ") and b"\r\nconnection: close\r\n" in answer.lower()
    refused = api.client.post("/session", json={"token": TOKEN[1:]})
    assert (refused.status_code, refused.headers["Connection"]) == (401, "close")


def test_the_owner_keeps_its_connection_whoever_else_comes(start: Callable[..., Any]) -> None:
    api = start(token=TOKEN, max_clients=5)
    with (
        api.watch(additional_headers=BEARER) as watcher,
        httpx2.Client(base_url=api.client.base_url, headers=BEARER, trust_env=False) as owner,
    ):
        assert owner.get("/jobs").status_code == 200
        mine = owner._transport._pool.connections[0]  # type: ignore[attr-defined]
        with sockets(api, 100):
            assert status_of(api, "/healthz") == 200
        assert owner.get("/jobs").status_code == 200
        assert owner._transport._pool.connections == [mine]  # type: ignore[attr-defined]
        assert watcher.next("heartbeat")


def test_probes_are_answered_where_known_clients_have_every_connection_and_more_wait(
    start: Callable[..., Any],
) -> None:
    api = start(token=TOKEN, max_clients=2)
    with (
        api.watch(additional_headers=BEARER) as first,
        api.watch(additional_headers=BEARER) as second,
        sockets(api, 400),
    ):
        for _ in range(10):
            assert status_of(api, "/healthz") == 200
        assert status_of(api, "/jobs", **BEARER) == 503
        assert first.next("heartbeat") and second.next("heartbeat")


FEW_FILES = 320


@pytest.fixture
def with_few_files(tmp_path: Path) -> Iterator[Orpheus]:
    """An API of its own, which may open few files."""
    limit = ("prlimit", f"--nofile={FEW_FILES}:{FEW_FILES}")
    orpheus = Orpheus(tmp_path, limit)
    yield orpheus
    orpheus.kill()


@pytest.mark.parametrize("at_least_s", variants([1, 3], 1))
def test_where_descriptors_run_out_probes_are_answered_and_the_log_stays_short(
    with_few_files: Orpheus, at_least_s: int
) -> None:
    port = int(str(with_few_files.client.base_url).rstrip("/").rpartition(":")[2])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    try:
        with ExitStack() as stack:
            began_s = time.monotonic()
            most = FEW_FILES + 200
            while (
                (opened := len(stack._exit_callbacks)) < most  # type: ignore[attr-defined]
                or time.monotonic() - began_s < at_least_s
            ):
                for _ in range(min(50, most - opened)):
                    stack.enter_context(socket.create_connection((ADDRESS, port), PATIENCE_S))
                asked_s = time.monotonic()
                with socket.create_connection((ADDRESS, port), PATIENCE_S) as probe:
                    probe.sendall(b"GET /healthz" + HEAD + b"Connection: close\r\n\r\n")
                    assert read_all(probe).startswith(b"HTTP/1.1 200 ")
                assert time.monotonic() - asked_s < slowness()
            assert with_few_files.post().status_code == 201
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    log = with_few_files.log()
    assert "max_clients_lowered" in log and str(FEW_FILES) in log
    assert "Too many open files" not in log
    assert len(log) < 10_000
    with_few_files.end_well()
