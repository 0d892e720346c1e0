"""The clocks of hosts are hours apart: times are those of the database, and no lease minds."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host
from tests.moved_clock import moved_clock

DRAIN_BOUND_S = 30.0
CLOCKS = {"ada": "+3h", "bob": "-5h"}
DELAY_S = 1.0


@pytest.fixture(scope="module")
def shared_watch(shared_server: DatabaseServer, start_hosts: StartHosts) -> Iterator[WatchedHosts]:
    def clock_of(name: str) -> dict[str, str]:
        return {**moved_clock(), "FAKETIME": CLOCKS[name]}

    url = shared_server.url()
    hosts = start_hosts(dict.fromkeys(CLOCKS, url), environment_of=clock_of)
    watch = WatchedHosts(shared_server, DATABASE, hosts)
    yield watch
    watch.stop()


def times_of(host: Host, job_id: int) -> list[float]:
    """When a job was submitted, due, started and finished, by the hosts' one clock."""
    job = host.job(job_id)
    names = ("created_at", "run_at", "started_at", "finished_at")
    return [datetime.fromisoformat(job[name]).timestamp() for name in names]


@pytest.mark.long
def test_a_job_is_run_at_its_time_whoever_submits_it(shared_watch: WatchedHosts) -> None:
    for host, other in (shared_watch.hosts, reversed(shared_watch.hosts)):
        began = time.time()
        job_id = shared_watch.run_one(on=host, submitted_to=other, delay=DELAY_S)
        created, due, started, finished = times_of(host, job_id)
        assert began - 1 <= created <= due - DELAY_S + 0.01
        assert due <= started <= finished <= time.time() + 1
    shared_watch.check_once_healed(DRAIN_BOUND_S)


def test_nobody_takes_the_lease_of_a_host_whose_clock_is_behind(
    shared_watch: WatchedHosts,
) -> None:
    for host in shared_watch.hosts:
        job_id = shared_watch.run_one(on=host, submitted_to=host, seconds=2)
        assert host.outcomes(job_id) == ["succeeded"]
    shared_watch.check_once_healed(DRAIN_BOUND_S)
