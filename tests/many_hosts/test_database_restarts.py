"""The server is restarted, killed, its connections are ended: the hosts go on, and lose nothing."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.harness import BEAT_TIMEOUT_S, until
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host

BACK_WITHIN_S = 5.0
"""So long after the server takes connections again, every host runs jobs."""
DRAIN_BOUND_S = 30.0
OURS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'orpheus'"


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
