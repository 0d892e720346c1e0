"""An API is replaced: a new one accepts on the same socket, then the old one goes, unnoticed."""

import asyncio
import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from orpheus.config.handovers import for_api
from orpheus.config.load import load_settings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.listener import address_of, bind_listener
from orpheus.shared.storage import Store, TypeRow, open_store
from tests.databases import make_database
from tests.machine import PATIENCE_S
from tests.variants import variants

ROOT = Path(__file__).parents[2]
GET = b"GET /jobs/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
BODY = b'{"type":"add"}'
POST = (
    b"POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    + f"Content-Length: {len(BODY)}\r\n\r\n".encode()
    + BODY
)


class Api:
    """One life of the API, whose supervisor is the test."""

    def __init__(self, life: int, url: str, listener: Any, folder: Path) -> None:
        ours, theirs = Channel.pair()
        self.channel = ours
        self._log = folder / f"log-{life}"
        with theirs, self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orpheus.api", "--control-fd", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")},
                pass_fds=(theirs.fileno(), listener.fileno()),
            )
        settings = load_settings(None, [f"database.url={url}"], {})
        handover = {
            "slot": "api",
            "incarnation": f"life-{life}",
            "settings": msgspec.to_builtins(for_api(settings, supervised=True)),
            "socket_fd": listener.fileno(),
            "config_file": None,
            "sets": [],
            "supervisor_pid": os.getpid(),
            "crash_file": str(folder / f"crash-{life}"),
            "stack_file": str(folder / f"stack-{life}"),
        }
        self.channel.send({"handover": handover})
        give_up_at = time.monotonic() + 30
        while not any(one["say"] == "ready" for one in self.channel.receive()):
            assert not self.channel.closed and time.monotonic() < give_up_at, self.log()
            select.select([self.channel], [], [], 1)

    def log(self) -> str:
        return self._log.read_text()

    def drain(self) -> None:
        self.channel.send({"do": "drain"})

    def end(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.channel.close()


class Succession:
    """A database, a listening socket, and one API after another on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._url = f"sqlite:///{folder}/data/orpheus.db"
        make_database(self._url)
        self.store: Store = open_store(self._url)
        self.store.types.replace([TypeRow("add", '{"type":"object"}', None, None, None, "Adds.")])
        self.listener = bind_listener("127.0.0.1", 0)
        self.address = address_of(self.listener)
        self.port: int = self.listener.getsockname()[1]
        self._lives: list[Api] = []

    def next(self) -> Api:
        """A new life, once it is ready."""
        self._lives.append(Api(len(self._lives), self._url, self.listener, self._folder))
        return self._lives[-1]

    def end(self) -> None:
        for life in self._lives:
            life.end()
        self.listener.close()
        self.store.close()


@pytest.fixture
def succession(tmp_path: Path) -> Iterator[Succession]:
    made = Succession(tmp_path)
    yield made
    made.end()


class Client:
    """Sends requests on one connection after another; `problems`: those without an answer."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._chance = random.Random(seed)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.answers = 0
        self.statuses: set[int] = set()
        self.problems: list[str] = []
        self.times_told_to_close = 0

    async def run(self, go_on: Callable[[], bool], pauses_s: Sequence[float]) -> None:
        """Request after request, some at once, for as long as that is true."""
        while go_on():
            await self.request(self._chance.choice([GET, POST]))
            await asyncio.sleep(self._chance.choice(pauses_s))
        self.close()

    async def request(self, request: bytes) -> None:
        """Send one request, and note what comes of it."""
        try:
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(request)
            status, headers = await self._answer()
        except (OSError, EOFError) as error:
            self.problems.append(repr(error))
            self.close()
            return
        self.answers += 1
        self.statuses.add(status)
        if b"connection: close" in headers.lower():
            self.times_told_to_close += 1
            self.close()

    async def _answer(self) -> tuple[int, bytes]:
        assert self._reader is not None
        headers = await self._reader.readuntil(b"\r\n\r\n")
        length = headers.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await self._reader.readexactly(int(length))
        return int(headers.split()[1]), headers

    async def wait_for_end(self) -> None:
        """Until the server closes the connection."""
        assert self._reader is not None
        assert await self._reader.read() == b""

    def close(self) -> None:
        """The next request makes a new connection."""
        if self._writer is not None:
            self._writer.close()
        self._writer = self._reader = None


async def one_request(succession: Succession) -> None:
    """Submit a job on a connection of its own."""
    client = Client(succession.port, 1)
    await client.request(POST)
    client.close()
    assert client.answers == 1


@pytest.mark.parametrize("pauses_s", variants([[0, 0.01, 0.05], [0, 0.001, 0.02]], [0, 0.01, 0.05]))
def test_fifty_busy_clients_do_not_notice_that_the_api_is_replaced(
    succession: Succession, pauses_s: list[float]
) -> None:
    succession.store.jobs.submit(NewJob("add", "{}"))
    old = succession.next()
    clients = [Client(succession.port, seed) for seed in range(50)]

    async def replace() -> None:
        working = True
        tasks = [asyncio.create_task(client.run(lambda: working, pauses_s)) for client in clients]
        new = await asyncio.to_thread(succession.next)
        old.drain()
        assert await asyncio.to_thread(old.process.wait, 10) == 0
        working = False
        await asyncio.gather(*tasks)
        await asyncio.gather(*(client.request(POST) for client in clients))
        for client in clients:
            client.close()
        assert new.process.poll() is None

    asyncio.run(asyncio.wait_for(replace(), 60))
    assert [client.problems for client in clients] == [[]] * 50
    assert set().union(*(client.statuses for client in clients)) <= {200, 201}
    assert all(client.times_told_to_close <= 1 for client in clients)
    assert sum(client.times_told_to_close for client in clients) > 10
    assert "Traceback" not in old.log()


def test_who_waits_is_answered_at_once_and_who_is_idle_may_send_one_more_request(
    succession: Succession,
) -> None:
    old = succession.next()
    waiting, late, silent = (Client(succession.port, seed) for seed in range(3))

    async def replace() -> None:
        for client in (waiting, late, silent):
            await client.request(POST)
        wait = GET.replace(b"/jobs/1", b"/jobs/1?wait=60")
        answered = asyncio.create_task(waiting.request(wait))
        await asyncio.to_thread(succession.next)
        old.drain()
        await answered
        drained_s = time.monotonic()
        await late.request(POST)
        await silent.wait_for_end()
        assert time.monotonic() - drained_s > 0.5
        silent.close()

    asyncio.run(asyncio.wait_for(replace(), 50))
    for client in (waiting, late):
        assert (client.answers, client.problems, client.times_told_to_close) == (2, [], 1)
    assert old.process.wait(PATIENCE_S) == 0


def test_a_client_of_the_stream_is_told_to_come_back_and_misses_nothing(
    succession: Succession,
) -> None:
    old = succession.next()
    url = f"ws://127.0.0.1:{succession.port}/ws"
    seen: list[int] = []

    def submit() -> None:
        asyncio.run(one_request(succession))

    def read(connection: Any, until: int) -> None:
        while not seen or seen[-1] < until:
            frame = json.loads(connection.recv(PATIENCE_S))
            seen.extend(e["seq"] for e in frame.get("events", ()) if "seq" in e)

    with connect(url, proxy=None) as connection:
        connection.recv(PATIENCE_S)
        submit()
        read(connection, 1)
        succession.next()
        old.drain()
        submit()
        with pytest.raises(ConnectionClosed) as closed:
            read(connection, 100)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
    submit()
    with connect(f"{url}?after={seen[-1]}", proxy=None) as connection:
        submit()
        read(connection, 4)
    assert seen == [1, 2, 3, 4]
    assert old.process.wait(PATIENCE_S) == 0


def test_a_stream_that_opens_on_an_old_connection_is_greeted_and_told_to_come_back(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.server.uvicorn._QUIET_S", 3_600.0)  # however slow this is
    with socket.create_connection(("127.0.0.1", api.port)) as connected:
        api.submit()  # by now that connection is accepted too
        api.drain()
        with connect(f"ws://127.0.0.1:{api.port}/ws", proxy=None, sock=connected) as stream:
            assert json.loads(stream.recv(PATIENCE_S))["type"] == "hello"
            with pytest.raises(ConnectionClosed) as closed:
                stream.recv(PATIENCE_S)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012


def test_an_api_that_goes_rings_again_and_leaves_the_bell_to_the_other(
    api: Any, wait_for: Callable[..., Any]
) -> None:
    others_bell = api.store.bells.listen_api()
    with api.watch() as watcher:
        watcher.next("hello")
        api.submit()
        watcher.events(1)
        others_bell.drain()
        api.call(api.services.broadcaster.release_all)
        wait_for(others_bell.drain, "the ring that says: look what I took")
    for _ in range(20):
        api.submit()
        assert others_bell.drain(), "nobody else takes a ring"
    others_bell.close()
