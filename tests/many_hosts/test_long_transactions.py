"""Somebody else's transaction stays open: what it holds waits, nothing else; its age is told."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.chaos.harness import until
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host

DRAIN_BOUND_S = 30.0
AGE = re.compile(r"^orpheus_database_oldest_transaction_seconds ([\d.e+-]+)$", re.MULTILINE)
AN_EVENT = """INSERT INTO orpheus.new_events (at_ms, kind, body)
    VALUES (0, 'queue.paused', %s) RETURNING id"""
LOCK_JOB = "SELECT id FROM orpheus.jobs WHERE id = %s FOR UPDATE"


@pytest.fixture(scope="module")
def shared_watch(shared_server: DatabaseServer, start_hosts: StartHosts) -> Iterator[WatchedHosts]:
    watch = WatchedHosts(shared_server, DATABASE, start_hosts({"ada": shared_server.url()}))
    yield watch
    watch.stop()


def age_s(host: Host) -> float:
    """How old the oldest transaction is, as /metrics tells."""
    found = AGE.search(host.client.get("/metrics").text)
    assert found is not None
    return float(found[1])


def test_an_event_of_a_long_transaction_comes_late_and_is_not_skipped(
    shared_server: DatabaseServer, shared_watch: WatchedHosts
) -> None:
    [ada] = shared_watch.hosts
    with shared_server.connect(DATABASE) as other, other.transaction():
        other.execute(AN_EVENT, (json.dumps({"name": "theirs"}),))
        for _ in range(3):
            shared_watch.run_one(on=ada, submitted_to=ada)
        told = shared_watch.last_seq()
        shared_watch.wait_for_event(told)
        until(lambda: age_s(ada) > 0, "its age to be told")
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
    [ada] = shared_watch.hosts
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
