"""`python -m api` as a process: alone, and as a supervisor's child."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from websockets.sync.client import connect

from orpheus.config.handovers import for_api
from orpheus.config.load import load_settings
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.listener import bind_listener
from orpheus.shared.storage import open_store
from tests.api.conftest import applications, options_of
from tests.databases import make_database
from tests.machine import HANGS_UP, PATIENCE_S
from tests.variants import variants

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")

KEY = {"Idempotency-Key": "once"}
LONG = ("heartbeats.timeout=300", "leases.ttl=3600", "leases.renew_every=60")
"""Timings that go with beats a minute apart."""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/orpheus.db"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def start(log: Path) -> Iterator[Start]:
    """Starts `python -m api` with arguments; it is ended with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def start_one(
        *arguments: str, failpoints: Path | None = None, **options: Any
    ) -> "subprocess.Popen[bytes]":
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
        if failpoints is not None:
            environment |= {"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(failpoints)}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*HANGS_UP, sys.executable, "-m", "orpheus.api", *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                **options,
            )
        processes.append(process)
        return process

    yield start_one
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)


def alone(url: str, *sets: str) -> list[str]:
    """The arguments of an API on a free port."""
    settings = ("api.port=0", f"database.url={url}", *sets)
    return [part for setting in settings for part in ("--set", setting)]


def address_in(log: Path, process: "subprocess.Popen[bytes]") -> str:
    give_up_at = time.monotonic() + 30
    while not (found := ADDRESS.search(log.read_text())):
        assert process.poll() is None and time.monotonic() < give_up_at, log.read_text()
        time.sleep(0.02)
    return found[0]


@pytest.mark.parametrize(
    "number", variants([signal.SIGTERM, signal.SIGINT, signal.SIGHUP], signal.SIGHUP)
)
def test_alone_it_serves_the_described_types_and_exits_0_on_a_signal_whoever_listens(
    start: Start, url: str, log: Path, number: int
) -> None:
    process = start(*alone(url))
    address = address_in(log, process)
    client = httpx2.Client(base_url=address, timeout=PATIENCE_S, trust_env=False)
    types = [one["name"] for one in client.get("/types").json()["items"]]
    job = client.post("/jobs", json={"type": "sum_range", "payload": {"n": 3}})
    workers = client.get("/workers").json()["items"]
    with connect(address.replace("http", "ws") + "/ws", proxy=None) as listening:
        listening.recv(PATIENCE_S)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0, log.read_text()
    client.close()
    assert {"sum_range", "wordcount", "sleep", "flaky"} <= set(types)
    assert job.status_code == 201
    assert [(w["slot"], w["pid"]) for w in workers] == [("api", process.pid)]
    assert "Traceback" not in log.read_text()
    store = open_store(url)
    assert store.processes.all() == []  # it took its heartbeat row with it
    store.close()


def test_a_stop_that_comes_twice_still_lets_an_answer_finish(
    start: Start, url: str, log: Path
) -> None:
    process = start(*alone(url))
    host, _, port = address_in(log, process).removeprefix("http://").partition(":")
    body = b'{"type": "sum_range", "payload": {"n": 3}}'
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as client:
        client.sendall(
            b"POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b"100 Continue" in client.recv(1_000)  # the request is being served
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        client.sendall(body)
        assert b"201 Created" in client.recv(1_000)
    assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("point", "replayed"),
    [("api.commit.before", None), ("api.commit.after", "true"), ("api.acknowledge", "true")],
)
def test_a_request_whose_api_is_killed_is_undecided_and_sent_again_makes_one_job(
    start: Start, url: str, log: Path, tmp_path: Path, point: str, replayed: str | None
) -> None:
    folder = tmp_path / "failpoints"
    folder.mkdir()
    process = start(*alone(url, "heartbeats.interval=60", *LONG), failpoints=folder)
    job = {"type": "sum_range", "payload": {"n": 3}}
    with httpx2.Client(
        base_url=address_in(log, process), timeout=PATIENCE_S, trust_env=False
    ) as client:
        assert client.get("/types").status_code == 200
        arm_after_the_first_beat(folder / point, url)
        with pytest.raises(httpx2.TransportError):
            client.post("/jobs", json=job, headers=KEY)
    assert process.wait(PATIENCE_S) == -signal.SIGKILL
    with applications(options_of(tmp_path)) as start_here:
        api = start_here()
        api.store.types.replace(describe_types(("orpheus.worker.handlers",), (), 60))
        answer = api.client.post("/jobs", json=job, headers=KEY)
        jobs = api.client.get("/jobs").json()["items"]
    assert answer.status_code == 201
    assert answer.headers.get("Idempotent-Replayed") == replayed
    assert [one["id"] for one in jobs] == [answer.json()["id"]]


def arm_after_the_first_beat(point: Path, url: str) -> None:
    """So that it is the request's commit that meets it."""
    store = open_store(url)
    give_up_at = time.monotonic() + 20
    while not any(row.ready for row in store.processes.all()):
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    store.close()
    point.write_text("kill")


def test_an_address_that_is_taken_is_exit_69_in_one_line(start: Start, url: str, log: Path) -> None:
    with bind_listener("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        process = start(*alone(url, f"api.port={port}"))
        assert process.wait(PATIENCE_S) == 69

    (line,) = log.read_text().splitlines()
    assert f"127.0.0.1:{port}" in line and "api.port" in line


def test_a_configuration_that_does_not_check_is_exit_78(start: Start, url: str, log: Path) -> None:
    assert start(*alone(url, "api.prot=1")).wait(20) == 78
    assert "api.port" in log.read_text()


def test_a_job_module_that_does_not_import_is_exit_78(start: Start, url: str, log: Path) -> None:
    process = start(*alone(url, 'jobs.modules=["no.such_module"]'))

    assert process.wait(PATIENCE_S) == 78
    assert "no.such_module" in log.read_text() or "No module named 'no'" in log.read_text()


class Supervisor:
    """The other end of an API's channel."""

    def __init__(self, start: Start, url: str, folder: Path) -> None:
        settings = load_settings(None, [f"database.url={url}", "heartbeats.interval=0.05"], {})
        self.listener = bind_listener("127.0.0.1", 0)
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        handover = {
            "slot": "api",
            "incarnation": "life-1",
            "settings": msgspec.to_builtins(for_api(settings, supervised=True)),
            "socket_fd": self.listener.fileno(),
            "config_file": None,
            "sets": [],
            "supervisor_pid": os.getpid(),
            "crash_file": str(folder / "crash"),
            "stack_file": str(folder / "stack"),
        }
        self.process = start(
            "--control-fd",
            str(theirs.fileno()),
            pass_fds=(theirs.fileno(), self.listener.fileno()),
        )
        theirs.close()
        self.channel.send({"handover": handover})
        self._received: list[dict[str, Any]] = []

    def hear(self, what: str) -> dict[str, Any]:
        """The next message that says `what`."""
        give_up_at = time.monotonic() + 30
        while True:
            while self._received:
                message = self._received.pop(0)
                if message["say"] == what:
                    return message
            assert not self.channel.closed and time.monotonic() < give_up_at
            select.select([self.channel], [], [], 1)
            self._received += self.channel.receive()

    def close(self) -> None:
        self.channel.close()
        self.listener.close()


@pytest.fixture
def supervisor(start: Start, url: str, tmp_path: Path) -> Iterator[Supervisor]:
    make_database(url)
    supervisor = Supervisor(start, url, tmp_path)
    yield supervisor
    supervisor.close()


def test_a_child_says_that_it_is_ready_and_beats_until_its_supervisor_is_gone(
    supervisor: Supervisor, url: str
) -> None:
    supervisor.hear("ready")
    first, *_, last = [supervisor.hear("beat") for _ in range(5)]

    assert last["beat"] == first["beat"] + 4
    assert last["loop"] > first["loop"]
    assert last["database_ok"] is True
    store = open_store(url)
    give_up_at = time.monotonic() + 10
    while [(r.incarnation, r.ready) for r in store.processes.all()] != [("life-1", True)]:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
    store.close()
    supervisor.channel.close()
    assert supervisor.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("order", ["drain", "stop"])
def test_a_child_ends_when_it_is_told_to(supervisor: Supervisor, order: str) -> None:
    supervisor.hear("ready")
    supervisor.channel.send({"do": order})

    assert supervisor.process.wait(PATIENCE_S) == 0


def test_a_database_that_is_not_there_is_said_before_the_exit(
    start: Start, url: str, tmp_path: Path
) -> None:
    supervisor = Supervisor(start, url, tmp_path)
    failed = supervisor.hear("failed")

    assert supervisor.process.wait(PATIENCE_S) == 74
    assert "orpheus.db" in json.dumps(failed)
    supervisor.close()
