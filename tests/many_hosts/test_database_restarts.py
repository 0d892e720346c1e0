"""The server is restarted, killed, replaced by a standby: the hosts go on, and lose nothing.

Nor if somebody else's transaction stays open: its age is told. A host that starts beside them with
the name of one of them is refused. All the while the clocks of the hosts are hours apart: times are
those of the database, and no lease minds.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.harness import BEAT_TIMEOUT_S, until
from tests.conftest import ROOT
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host
from tests.many_hosts.tcp_proxy import TcpProxy
from tests.moved_clock import libfaketime, moved_clock

BACK_WITHIN_S = 5.0
"""So long after the server takes connections again, every host runs jobs."""
DRAIN_BOUND_S = 30.0
AGE = re.compile(r"^orpheus_database_oldest_transaction_seconds ([\d.e+-]+)$", re.MULTILINE)
AN_EVENT = """WITH made AS (INSERT INTO orpheus.new_batches DEFAULT VALUES RETURNING id)
    INSERT INTO orpheus.event_rows (batch, position, at_ms, kind, body)
    SELECT id, 1, 0, 'queue.paused', %s FROM made RETURNING batch"""
IN_STEP = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
CLOCKS = {"ada": "+3h", "bob": "-5h"}


@dataclass
class Database:
    """The server that the hosts use now, and the proxy that leads there."""

    server: DatabaseServer
    proxy: TcpProxy

    def url(self) -> str:
        """Return where the hosts find it."""
        return self.server.url(port=self.proxy.port)


@pytest.fixture(scope="module")
def shared_database(
    shared_server: DatabaseServer, new_proxy: Callable[[int], TcpProxy]
) -> Iterator[Database]:
    database = Database(shared_server, new_proxy(shared_server.port))
    yield database
    database.server.end()


@pytest.fixture(scope="module")
def shared_hosts(shared_database: Database, start_hosts: StartHosts) -> list[Host]:
    """Without libfaketime, they have the right time."""

    def clock_of(name: str) -> dict[str, str]:
        return {**moved_clock(), "FAKETIME": CLOCKS[name]} if libfaketime() else {}

    url = shared_database.url()
    return start_hosts(dict.fromkeys(CLOCKS, url), environment_of=clock_of)


@pytest.fixture(scope="module")
def shared_watch(shared_database: Database, shared_hosts: list[Host]) -> Iterator[WatchedHosts]:
    watch = WatchedHosts(shared_database.server, DATABASE, shared_hosts)
    yield watch
    watch.stop()


@pytest.fixture
def server(shared_database: Database) -> DatabaseServer:
    """The one that the hosts use now."""
    return shared_database.server


@pytest.fixture
def watched(shared_watch: WatchedHosts) -> Iterator[WatchedHosts]:
    """Jobs run meanwhile, and afterwards everything is checked."""
    with shared_watch.jobs_meanwhile():
        yield shared_watch
    shared_watch.check_once_healed(DRAIN_BOUND_S)


def every_host_is_back(watched: WatchedHosts, hosts: list[Host]) -> None:
    """Each runs a job that another has taken in, soon enough."""
    began_s = time.monotonic()
    for host, other in zip(hosts, reversed(hosts), strict=True):
        watched.run_one(on=other, submitted_to=host)
    took_s = time.monotonic() - began_s
    assert took_s < BACK_WITHIN_S * slowness(), f"back after {took_s:.1f} s"


def test_the_database_is_restarted(
    server: DatabaseServer, shared_hosts: list[Host], watched: WatchedHosts
) -> None:
    server.stop()
    assert shared_hosts[0].client.get("/readyz").status_code == 503
    server.start()
    every_host_is_back(watched, shared_hosts)


def test_the_database_is_killed(
    server: DatabaseServer, shared_hosts: list[Host], watched: WatchedHosts
) -> None:
    server.kill()
    server.start()
    every_host_is_back(watched, shared_hosts)


@pytest.fixture
def standby(
    server: DatabaseServer, shared_database: Database, server_folder: Path
) -> Iterator[DatabaseServer]:
    """It follows the primary, which waits for it at each commit that a client is told of."""
    standby = DatabaseServer(server_folder / "standby")
    standby.copy(server)
    standby.start()
    with server.connect() as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
    until(lambda: server.look(IN_STEP), "the standby to follow")
    yield standby
    if shared_database.server is not standby:
        standby.end()


def test_a_standby_takes_over(
    server: DatabaseServer,
    standby: DatabaseServer,
    shared_database: Database,
    shared_watch: WatchedHosts,
) -> None:
    """The primary dies, its standby is promoted, and the proxy leads there."""
    ada, bob = shared_watch.hosts
    with shared_watch.jobs_meanwhile():
        for host, other in ((ada, bob), (bob, ada)):
            shared_watch.run_one(on=host, submitted_to=other)
        server.kill()
        shared_database.server = standby
        shared_database.proxy.redirect(standby.port)  # not promoted: nothing can be written there
        until(lambda: ada.client.get("/readyz").status_code == 503, "the host to notice")
        standby.promote()
        shared_watch.server = standby
        every_host_is_back(shared_watch, [ada, bob])
    shared_watch.subscribe_anew()  # a standby may lack what a client has seen: it is told to
    shared_watch.check_once_healed(DRAIN_BOUND_S)


@pytest.mark.long
def test_the_database_is_away_for_longer_than_a_heartbeat_may_take(
    server: DatabaseServer, shared_hosts: list[Host], watched: WatchedHosts
) -> None:
    before = [host.workers() for host in shared_hosts]
    server.kill()
    threading.Event().wait(BEAT_TIMEOUT_S + 1)
    server.start()
    every_host_is_back(watched, shared_hosts)
    after = [host.workers() for host in shared_hosts]
    for one, other in zip(before, after, strict=True):
        pids = {name: slot["pid"] for name, slot in one.items()}
        assert pids == {name: slot["pid"] for name, slot in other.items()}, "no process is to blame"


def test_a_host_that_starts_meanwhile_waits(
    server: DatabaseServer,
    shared_database: Database,
    shared_hosts: list[Host],
    start_hosts: StartHosts,
    watched: WatchedHosts,
) -> None:
    server.stop()
    with ThreadPoolExecutor() as thread:
        starting = thread.submit(start_hosts, {"cyd": shared_database.url()})
        log = shared_hosts[0].folder.parent / "cyd" / "log"
        until(lambda: log.exists() and "database_away" in log.read_text(), "it to wait")
        server.start()
        [cyd] = starting.result()
    watched.run_one(on=cyd, submitted_to=shared_hosts[0])
    assert cyd.stop() == 0


def arguments(server: DatabaseServer, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Those of a program with a folder of its own, and its environment."""
    settings = {
        "database.url": server.url(),
        "database.state_dir": str(folder / "state"),
        "api.port": "0",
    }
    sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
    return sets, environment


def test_a_second_host_of_a_name_is_refused_and_the_first_goes_on(
    server: DatabaseServer, shared_hosts: list[Host], tmp_path: Path
) -> None:
    ada = shared_hosts[0]
    ada.until_ready()
    before = ada.workers()
    sets, environment = arguments(server, tmp_path)
    twin = subprocess.run(
        [sys.executable, "-m", "tests.named_host", "ada", *sets],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert twin.returncode == 75, twin.stderr
    assert "name of its own" in twin.stderr
    pids = {name: slot["pid"] for name, slot in before.items()}
    assert pids == {name: slot["pid"] for name, slot in ada.workers().items()}


# Somebody else's transaction stays open


def age_s(host: Host) -> float:
    """How old the oldest transaction is, as /metrics tells."""
    found = AGE.search(host.client.get("/metrics").text)
    assert found is not None
    return float(found[1])


def test_an_event_of_a_long_transaction_comes_late_and_is_not_skipped(
    server: DatabaseServer, shared_watch: WatchedHosts
) -> None:
    ada = shared_watch.hosts[0]
    with server.connect(DATABASE) as other, other.transaction():
        other.execute(AN_EVENT, (json.dumps({"name": "theirs"}),))
        for _ in range(3):
            shared_watch.run_one(on=ada, submitted_to=ada)
        told = shared_watch.last_seq()
        shared_watch.wait_for_event(told)
        until(lambda: age_s(ada) > 0.5, "its age to be told")
        shared_watch.run_one(on=ada, submitted_to=ada)
    shared_watch.wait_for_event(shared_watch.last_seq())
    sql = "SELECT seq FROM orpheus.events WHERE body = %s"
    theirs = server.look(sql, json.dumps({"name": "theirs"}))
    assert theirs[0][0] > told
    until(lambda: age_s(ada) == 0, "its end to be told")
    shared_watch.check_once_healed(DRAIN_BOUND_S)


# The clocks of the hosts


def test_nobody_takes_the_lease_of_a_host_whose_clock_is_behind(
    shared_watch: WatchedHosts,
) -> None:
    moved_clock()
    for host in shared_watch.hosts:
        job_id = shared_watch.run_one(on=host, submitted_to=host, seconds=2)
        assert host.outcomes(job_id) == ["succeeded"]
    shared_watch.check_once_healed(DRAIN_BOUND_S)
