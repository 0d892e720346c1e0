"""The server is restarted, killed, its connections are ended: the hosts go on, and lose nothing.

Nor if somebody else's transaction stays open: what it holds waits, nothing else; its age is told.
A host that starts beside them with the name of one of them is refused.
"""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.harness import BEAT_TIMEOUT_S, until
from tests.conftest import ROOT
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host
from tests.many_hosts.test_beside_a_host import arguments

BACK_WITHIN_S = 5.0
"""So long after the server takes connections again, every host runs jobs."""
DRAIN_BOUND_S = 30.0
OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'orpheus'"
AGE = re.compile(r"^orpheus_database_oldest_transaction_seconds ([\d.e+-]+)$", re.MULTILINE)
AN_EVENT = """INSERT INTO orpheus.new_events (at_ms, kind, body)
    VALUES (0, 'queue.paused', %s) RETURNING id"""
LOCK_JOB = "SELECT id FROM orpheus.jobs WHERE id = %s FOR UPDATE"


@pytest.fixture(scope="module")
def shared_hosts(shared_server: DatabaseServer, start_hosts: StartHosts) -> list[Host]:
    url = shared_server.url()
    return start_hosts({"ada": url, "bob": url})


@pytest.fixture(scope="module")
def shared_watch(shared_server: DatabaseServer, shared_hosts: list[Host]) -> Iterator[WatchedHosts]:
    watch = WatchedHosts(shared_server, DATABASE, shared_hosts)
    yield watch
    watch.stop()


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
    shared_server: DatabaseServer, shared_hosts: list[Host], watched: WatchedHosts
) -> None:
    shared_server.stop()
    assert shared_hosts[0].client.get("/readyz").status_code == 503
    shared_server.start()
    every_host_is_back(watched, shared_hosts)


def test_the_database_is_killed(
    shared_server: DatabaseServer, shared_hosts: list[Host], watched: WatchedHosts
) -> None:
    shared_server.kill()
    shared_server.start()
    every_host_is_back(watched, shared_hosts)


@pytest.mark.long
def test_the_database_is_away_for_longer_than_a_heartbeat_may_take(
    shared_server: DatabaseServer, shared_hosts: list[Host], watched: WatchedHosts
) -> None:
    before = [host.workers() for host in shared_hosts]
    shared_server.kill()
    threading.Event().wait(BEAT_TIMEOUT_S + 1)
    shared_server.start()
    every_host_is_back(watched, shared_hosts)
    after = [host.workers() for host in shared_hosts]
    for one, other in zip(before, after, strict=True):
        pids = {name: slot["pid"] for name, slot in one.items()}
        assert pids == {name: slot["pid"] for name, slot in other.items()}, "no process is to blame"


@pytest.mark.long
def test_each_connection_is_ended_once(
    shared_server: DatabaseServer, shared_hosts: list[Host], watched: WatchedHosts
) -> None:
    ended = set()
    with shared_server.connect() as connection:
        for (pid,) in connection.execute(OURS).fetchall():
            ended.add(pid)
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
            watched.wait_for_a_job_to_end()
    assert len(ended) >= 10
    every_host_is_back(watched, shared_hosts)


def test_a_host_that_starts_meanwhile_waits(
    shared_server: DatabaseServer,
    shared_hosts: list[Host],
    start_hosts: StartHosts,
    watched: WatchedHosts,
) -> None:
    shared_server.stop()
    with ThreadPoolExecutor() as thread:
        starting = thread.submit(start_hosts, {"cyd": shared_server.url()})
        log = shared_hosts[0].folder.parent / "cyd" / "log"
        until(lambda: log.exists() and "database_away" in log.read_text(), "it to wait")
        shared_server.start()
        [cyd] = starting.result()
    watched.run_one(on=cyd, submitted_to=shared_hosts[0])
    assert cyd.stop() == 0


def test_a_second_host_of_a_name_is_refused_and_the_first_goes_on(
    shared_server: DatabaseServer, shared_hosts: list[Host], tmp_path: Path
) -> None:
    ada = shared_hosts[0]
    ada.until_ready()
    before = ada.workers()
    sets, environment = arguments(shared_server, tmp_path)
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
    shared_server: DatabaseServer, shared_watch: WatchedHosts
) -> None:
    ada = shared_watch.hosts[0]
    with shared_server.connect(DATABASE) as other, other.transaction():
        other.execute(AN_EVENT, (json.dumps({"name": "theirs"}),))
        for _ in range(3):
            shared_watch.run_one(on=ada, submitted_to=ada)
        told = shared_watch.last_seq()
        shared_watch.wait_for_event(told)
        until(lambda: age_s(ada) > 0.5, "its age to be told")
        shared_watch.run_one(on=ada, submitted_to=ada)
    shared_watch.wait_for_event(shared_watch.last_seq())
    sql = "SELECT seq FROM orpheus.events WHERE body = %s"
    theirs = shared_server.look(sql, json.dumps({"name": "theirs"}))
    assert theirs[0][0] > told
    until(lambda: age_s(ada) == 0, "its end to be told")
    shared_watch.check_once_healed(DRAIN_BOUND_S)


@pytest.mark.long
def test_a_job_whose_row_is_locked_waits_and_no_other_does(
    shared_server: DatabaseServer, shared_watch: WatchedHosts
) -> None:
    ada = shared_watch.hosts[0]
    assert ada.client.post("/queues/ada/pause").status_code == 200
    with shared_watch.client() as client:
        (locked,) = client.submit([{"type": "asked", "payload": {}, "queue": "ada"}])
    with shared_server.connect(DATABASE) as other, other.transaction():
        other.execute(LOCK_JOB, (locked,))
        assert ada.client.post("/queues/ada/resume").status_code == 200
        shared_watch.run_one(on=ada, submitted_to=ada)
        assert ada.job(locked)["status"] == "pending"
    assert ada.until_ended(locked)["status"] == "done"
    shared_watch.check_once_healed(DRAIN_BOUND_S)
