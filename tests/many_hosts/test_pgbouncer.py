"""Hosts whose database is behind PgBouncer, and which listen past it."""

import statistics
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host
from tests.many_hosts.pooler import SESSIONS, Pooler, running_pooler

DRAIN_BOUND_S = 30.0
SLOW = {  # polls: a job that nothing announces waits for a second and more
    "heartbeats.interval": "5s",
    "heartbeats.timeout": "25s",
    "leases.ttl": "60s",
}


@pytest.fixture(scope="module")
def shared_pooler(shared_server: DatabaseServer) -> Iterator[Pooler]:
    with running_pooler(shared_server) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def shared_watch(
    shared_server: DatabaseServer, shared_pooler: Pooler, start_hosts: StartHosts
) -> Iterator[WatchedHosts]:
    url = shared_pooler.url
    past = {"database.listen_url": shared_server.url()}
    hosts = start_hosts({"ada": url, "bob": url}, {**past, **SLOW})
    watch = WatchedHosts(shared_server, DATABASE, hosts)
    yield watch
    watch.stop()


def waited_s(host: Host, job_id: int) -> float:
    """From its commit to its start."""
    job = host.job(job_id)
    created, started = (datetime.fromisoformat(job[name]) for name in ("created_at", "started_at"))
    return (started - created).total_seconds()


def test_many_connections_share_few_sessions_and_wake_each_other(
    shared_server: DatabaseServer, shared_watch: WatchedHosts
) -> None:
    ada, bob = shared_watch.hosts
    ids = [shared_watch.run_one(on=bob, submitted_to=ada) for _ in range(9)]
    assert statistics.median(waited_s(ada, one) for one in ids) < 0.5
    sessions = shared_server.look(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orpheus'"
    )
    assert sessions[0][0] <= SESSIONS + 2, "one of each host listens"
    shared_watch.check_once_healed(DRAIN_BOUND_S)


@pytest.mark.long
def test_the_pooler_is_killed(shared_pooler: Pooler, shared_watch: WatchedHosts) -> None:
    ada, bob = shared_watch.hosts
    with shared_watch.jobs_meanwhile():
        shared_watch.run_one(on=ada, submitted_to=bob)
        shared_pooler.kill()
        assert ada.client.get("/readyz").status_code == 503
        shared_pooler.start()
        for host, other in ((ada, bob), (bob, ada)):
            shared_watch.run_one(on=host, submitted_to=other)
    shared_watch.check_once_healed(DRAIN_BOUND_S)
