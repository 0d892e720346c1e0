"""A whole Orpheus that is up and ready, for what only Orpheus is measured for."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from benchmarks.catalog import BY_NAME, ORPHEUS
from benchmarks.servers import free_port
from benchmarks.systems import System, running
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store, open_store

PARKED = "parked"
"""A queue that no worker serves with the setting ONLY_DEFAULT."""
ONLY_DEFAULT = "pools.default.queues=['default']"
GAP_S = 0.002


@dataclass(frozen=True)
class Live:
    """The system with its store and the port of its API."""

    system: System
    store: Store
    url: str
    port: int
    connection: http.client.HTTPConnection
    """Kept alive over all requests."""
    ready_s: float
    """How long it took from the command until all were ready."""

    def pid(self, slot: str) -> int:
        """Return the process of a slot, 0 for none."""
        return next(one.pid or 0 for one in self.store.processes.slots() if one.slot == slot)

    def fill(self, first: int, count: int) -> None:
        """Submit no-op jobs in one commit."""
        numbers = range(first, first + count)
        self.store.jobs.submit_many([NewJob("effect", payload=f'{{"n":{n}}}') for n in numbers])

    def wait_until_done(self, first: int, count: int) -> float:
        """Wait until these jobs have run and are done. Raises NotExactlyOnce otherwise."""
        ended_s = self.system.wait_until_done(first, count)
        self.system.effects.check(first, count)
        return ended_s

    def wait_until_run(self, first: int, count: int) -> None:
        """Wait until these jobs have run, whatever else is left."""
        self.system.wait(lambda: self.system.effects.seen(first, count) >= count)


@contextmanager
def live(jobs: int, *settings: str, workers: int = 2) -> Iterator[Live]:
    """Start a supervisor with its API and workers, and wait until all of them are ready."""
    port = free_port()
    variant = " ".join((f"api.port={port}", f"pools.default.workers={workers}", *settings))
    with running(replace(BY_NAME[ORPHEUS], variant=variant), jobs) as system:
        url = f"sqlite:///{system.folder}/data/orpheus.db"
        with closing(open_store(url, create=True, pools={"default": ("*",)})) as store:
            began_s = time.monotonic()
            system.start_workers()
            system.wait(lambda: is_ready(store, workers))
            ready_s = time.monotonic() - began_s
            yield Live(system, store, url, port, connect(port), ready_s)


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def is_ready(store: Store, workers: int) -> bool:
    """Return whether the supervisor, the API and every worker are ready."""
    slots = store.processes.slots()
    return len(slots) == workers + 2 and all(slot.state == "ready" for slot in slots)


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    """Send one request and read the answer, which must be 201."""
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 201:
        raise RuntimeError(f"{path}: {answer.status} {text[:500]!r}")


def body(n: int, queue: str = "default") -> bytes:
    return json.dumps({"type": "effect", "queue": queue, "payload": {"n": n}}).encode()


class SinglePosts(threading.Thread):
    """Posts jobs to PARKED, one after the other with short pauses, and notes how long each took."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._stop_asked = threading.Event()
        self._took_s: list[float] = []

    def run(self) -> None:
        connection = connect(self._port)
        post(connection, "/jobs", body(0, PARKED))
        while not self._stop_asked.wait(GAP_S):
            began_s = time.monotonic()
            post(connection, "/jobs", body(0, PARKED))
            self._took_s.append(time.monotonic() - began_s)
        connection.close()

    def stop(self) -> list[float]:
        """End it; how long each took, in seconds, the shortest first."""
        self._stop_asked.set()
        self.join()
        return sorted(self._took_s)
