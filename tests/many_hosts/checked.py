"""Several hosts on one database: what clients asked of them, and the check of everything.

The invariants are those of tests/chaos, and read the tables of SQLite: so they get a copy of those
of PostgreSQL.
"""

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import httpx2
import psycopg

from tests.chaos import invariants
from tests.chaos.clients import Client, Subscriber, some_jobs, told_epoch
from tests.chaos.harness import LEASE_TTL_S, until
from tests.chaos.histories import (
    ClientLog,
    Evidence,
    Run,
    fold_events,
    look_at_processes,
    read_effects,
)
from tests.copied_tables import CopiedTables
from tests.machine import slowness
from tests.many_hosts.database_server import FORGETS_NS, KILLS_NS, DatabaseServer
from tests.many_hosts.hosts import Host
from tests.simulation import invariants as simulated
from tests.simulation.world import Tables

_PATIENCE_S = 5.0
_SHORT_S = 0.01
_CLOCK_ERROR_MS = 100
_BATCH = 4
_BATCH_OF_A_CAMPAIGN = 10
_MOST_LIVE_OF_A_CAMPAIGN = 60
_MOST_LIVE = 8
"""Jobs that are submitted meanwhile must not pile up on a slow machine."""
_BETWEEN_BATCHES_S = 0.25
_FOR_NEWER_CODE = 0.2
_LASTS_NS = int(LEASE_TTL_S * 1e9)
_IN_ANY_ORDER = (
    invariants.attempts_do_not_overlap,
    invariants.keys_keep_their_limit,
    invariants.the_last_token_ended_the_job,
    invariants.cancelled_jobs_do_not_start,
    invariants.effects_and_attempts_agree,
    invariants.secrets_stay_in_payloads,
)
"""All but I9: across hosts, the order of leasing is not exact."""
_OF_EACH_HOST = (
    invariants.subscribers_miss_nothing,
    invariants.only_what_is_configured_lives,
    invariants.errors_are_of_the_allowed_kinds,
)


class ClientOfMany(Client):
    """One client, which turns to the next host when one does not do what it was asked for."""

    def __init__(
        self, urls: Sequence[str], log: ClientLog, over: threading.Event | None = None
    ) -> None:
        super().__init__(urls[0], log, over)
        self._http.close()
        self._all = [
            httpx2.Client(base_url=url, timeout=_PATIENCE_S, trust_env=False) for url in urls
        ]
        self._next = itertools.cycle(self._all)
        self._http = next(self._next)

    def ask(self, method: str, path: str, **request: Any) -> httpx2.Response | None:
        """One request; None if no answer came."""
        answer = super().ask(method, path, **request)
        if answer is None or answer.status_code >= 500:
            self._http = next(self._next)
        return answer

    def close(self) -> None:
        """It is done."""
        for one in self._all:
            one.close()


class WatchedHosts:
    """What clients ask of hosts and what those tell them, from when they are ready to the end."""

    def __init__(self, server: DatabaseServer, database: str, hosts: Sequence[Host]) -> None:
        self.server = server
        """Which one is looked at: after a failover, another."""
        self._database = database
        self.hosts = hosts
        for host in hosts:
            host.until_ready()
        self._fds = {host.name: host.supervisor.num_fds() for host in hosts}
        self.log = ClientLog()
        self._subscribers = self._subscribe()

    def _subscribe(self) -> list[Subscriber]:
        subscribers = [Subscriber(host.url) for host in self.hosts]
        for one in subscribers:
            one.start()
        return subscribers

    def subscribe_anew(self) -> None:
        """Follow the events from the first one again, once each host has seen another history.

        A stream that has not read the database since it changed would reset its clients when it
        does.
        """
        self.stop()
        for host, one in zip(self.hosts, self._subscribers, strict=True):
            until(partial(_tells_another, host, one.epoch), f"{host.name} to tell a new history")
        self._subscribers = self._subscribe()

    def stop(self) -> None:
        """Listen no longer."""
        for one in self._subscribers:
            one.stop()

    @contextlib.contextmanager
    def client(self, over: threading.Event | None = None) -> Iterator[ClientOfMany]:
        """Yield a client of all hosts, which asks until it knows, or until `over`."""
        client = ClientOfMany([host.url for host in self.hosts], self.log, over)
        try:
            yield client
        finally:
            client.close()

    @contextlib.contextmanager
    def jobs_meanwhile(self) -> Iterator[None]:
        """Submit short jobs again and again, until the end of the `with`."""
        over = threading.Event()
        thread = threading.Thread(target=self._submit, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _submit(self, over: threading.Event) -> None:
        with self.client(over) as client:
            while not over.is_set():
                if self._live() < _MOST_LIVE:
                    client.submit([_job(_SHORT_S) for _ in range(_BATCH)])
                over.wait(_BETWEEN_BATCHES_S)

    def _live(self) -> int:
        """So many jobs have not ended; 0 while nobody can tell."""
        try:
            sql = "SELECT count(*) FROM orpheus.jobs WHERE finished_at_ms IS NULL"
            return int(self.server.look(sql)[0][0])
        except psycopg.OperationalError:
            return 0

    @contextlib.contextmanager
    def mixed_jobs_meanwhile(
        self, n: int, within_s: float, chance: random.Random, secret: str
    ) -> Iterator[None]:
        """Submit `n` jobs, spread over a time, some of which misbehave, and cancel some of them.

        One in five is for the newer code of tests/chaos/jobs, which a host must have.
        At the end of the `with`, what is left of them is submitted.
        """
        over = threading.Event()
        thread = threading.Thread(
            target=self._be_a_client, args=(n, within_s, over, chance, secret)
        )
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _be_a_client(
        self, n: int, within_s: float, over: threading.Event, chance: random.Random, secret: str
    ) -> None:
        began_s = time.monotonic()
        with self.client() as client:
            for first in range(0, n, _BATCH_OF_A_CAMPAIGN):
                over.wait(began_s + within_s * first / n - time.monotonic())
                while self._live() >= _MOST_LIVE_OF_A_CAMPAIGN:
                    time.sleep(_BETWEEN_BATCHES_S)
                jobs = some_jobs(chance, min(n - first, _BATCH_OF_A_CAMPAIGN), secret)
                for job in jobs:
                    job["queue"] = "default"
                    if chance.random() < _FOR_NEWER_CODE:
                        job["payload"]["note"] = "new"
                for job_id in client.submit(jobs):
                    if chance.random() < 0.1:
                        client.cancel(job_id)

    def run_one(self, *, on: Host, submitted_to: Host, seconds: float = _SHORT_S) -> int:
        """Have `on` run a job that `submitted_to` takes in; return its id."""
        client = Client(submitted_to.url, self.log)
        (job_id,) = client.submit([{**_job(seconds), "queue": on.name}])
        client.close()
        until(lambda: self._has_ended(job_id), f"{on.name} to run job {job_id}")
        return job_id

    def last_seq(self) -> int:
        """Return the number of the newest event that is committed."""
        with self.server.connect(self._database) as connection:
            connection.execute("SELECT orpheus.number_events()")
            row = connection.execute("SELECT last_seq FROM orpheus.history").fetchone()
        return int(row[0]) if row else 0

    def wait_for_event(self, seq: int) -> None:
        """Wait until every subscriber was sent an event."""
        for one in self._subscribers:
            until(partial(_has_seen, one, seq), f"event {seq}")

    def _has_ended(self, job_id: int) -> bool:
        found = self.server.look(
            "SELECT FROM orpheus.jobs WHERE id = %s AND finished_at_ms IS NOT NULL", job_id
        )
        return bool(found)

    def check_once_healed(self, drain_bound_s: float, secret: str = "") -> float:
        """Let everything end, and check every invariant; return the seconds that it took to end."""
        for host in self.hosts:
            host.until_healed()
        began_s = time.monotonic()
        drain_bound_s *= slowness()
        self.hosts[0].until_drained(drain_bound_s)
        drained_s = time.monotonic() - began_s
        for host in self.hosts:
            host.until_ready()
        with (
            self.server.connect(self._database) as connection,
            CopiedTables(connection) as tables,
        ):
            self._check(tables, drained_s, drain_bound_s, secret or "never written")
        return drained_s

    def _check(
        self, tables: CopiedTables, drained_s: float, drain_bound_s: float, secret: str
    ) -> None:
        events = tables.look("SELECT seq, at_ms, kind, job_id, body FROM events ORDER BY seq")
        last_seq = events[-1][0]
        self.wait_for_event(last_seq)
        for one in self._subscribers:
            assert not one.problems, one.problems
        fold = fold_events(events, tables, clock_error_ms=_CLOCK_ERROR_MS)
        everything = [
            self._evidence(host, tables, events, drained_s, drain_bound_s, secret, one.seqs)
            for host, one in zip(self.hosts, self._subscribers, strict=True)
        ]
        invariants.check_drain(everything[0])
        simulated.everything_has_ended(fold)
        simulated.acknowledged_jobs_exist(fold, self.log)
        simulated.every_job_was_asked_for_once(tables, fold, self.log)
        simulated.events_give_the_jobs(tables, fold)
        simulated.attempts_are_numbered(tables)
        simulated.retries_are_counted(tables, fold)
        simulated.children_are_there_exactly_once(tables)
        for cheap in simulated.CHEAP:
            cheap(tables, fold)
        for invariant in _IN_ANY_ORDER:
            invariant(everything[0])
        for evidence in everything:
            for invariant in _OF_EACH_HOST:
                invariant(evidence)

    def _evidence(
        self,
        host: Host,
        tables: CopiedTables,
        events: list[tuple[Any, ...]],
        drained_s: float,
        drain_bound_s: float,
        secret: str,
        seen_seqs: list[int],
    ) -> Evidence:
        pid = host.supervisor.pid
        return Evidence(
            tables=tables,
            events=events,
            clients=self.log,
            runs=remembered(read_effects(host.effects, forgets=True), tables),
            seen_seqs=seen_seqs,
            processes=look_at_processes(host.mark, pid),
            expected={
                name: (slot["pid"], slot["incarnation"])
                for name, slot in host.workers().items()
                if name != "supervisor"
            },
            supervisor_pid=pid,
            supervisor_fds=self._fds[host.name],
            log=host.log(),
            secret=secret,
            wal_bytes=0,
            drained_s=drained_s,
            drain_bound_s=drain_bound_s,
        )


def remembered(runs: list[Run], tables: Tables) -> list[Run]:
    """Without the runs of leases that a server has forgotten which was killed (docs/deploy.md).

    The number of such an attempt was given again, or there is none of that number. A job that was
    leased before the kill may begin after it, as long as its lease lasts.
    """
    attempts = set(tables.look("SELECT job_id, number, pid FROM attempts"))
    last = {(run.job_id, run.attempt): run for run in runs}

    def is_forgotten(run: Run) -> bool:
        is_another = last[run.job_id, run.attempt] is not run
        has_none = (run.job_id, run.attempt, run.pid) not in attempts
        was_killed = any(-_LASTS_NS < at_ns - run.begin_ns < FORGETS_NS for at_ns in KILLS_NS)
        return was_killed and (is_another or has_none)

    return [run for run in runs if not is_forgotten(run)]


def _tells_another(host: Host, epoch: str) -> bool:
    return told_epoch(host.url) != epoch


def _has_seen(subscriber: Subscriber, seq: int) -> bool:
    assert not subscriber.problems, subscriber.problems
    return bool(subscriber.seqs) and subscriber.seqs[-1] >= seq


def _job(seconds: float) -> dict[str, Any]:
    return {"type": "asked", "payload": {"does": "sleep", "seconds": seconds}, "max_retries": 20}
