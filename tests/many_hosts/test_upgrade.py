"""An upgrade of Orpheus host by host: the first one changes the schema, and no job is lost."""

from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest

from tests.many_hosts.conftest import StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host
from tests.next_version import make_next_version


@pytest.fixture
def hosts(shared_server: DatabaseServer, start_hosts: StartHosts) -> list[Host]:
    return start_hosts({name: shared_server.url() for name in ("ada", "bob")})


def submit(host: Host, queue: str, does: str = "nothing", seconds: float = 0) -> int:
    """Submit a job, which no host refuses; return its id."""
    payload = {"request": 0, "index": 0, "does": does, "seconds": seconds}
    answer = host.client.post("/jobs", json={"type": "asked", "queue": queue, "payload": payload})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def upgrade(host: Host, root: Path) -> None:
    """Stop a host and start the next version there."""
    assert host.stop() == 0
    host.root = root
    host.start()
    host.until_ready()


def test_no_job_is_lost_or_refused_while_the_hosts_have_different_versions(
    hosts: list[Host], shared_server: DatabaseServer, tmp_path: Path
) -> None:
    ada, bob = hosts
    root = make_next_version(tmp_path)
    submitted: list[int] = []
    is_over = Event()

    def submit_all_the_time() -> None:
        while not is_over.wait(0.02):
            submitted.append(submit(bob, "default"))

    thread = Thread(target=submit_all_the_time)
    thread.start()
    try:
        running = submit(bob, "bob", "sleep", 2)
        upgrade(ada, root)
        submitted += [running, *(submit(ada, name) for name in ("ada", "bob"))]
    finally:
        is_over.set()
        thread.join()
    with psycopg.connect(shared_server.url()) as admin:
        sql = b"SELECT max(version), max(readable_from) FROM orpheus.schema_migrations"
        assert admin.execute(sql).fetchone() == (101, 100)
    assert bob.stop() == 0
    bob.start()
    bob.until_ready()
    submitted += [submit(host, name) for host in hosts for name in ("ada", "bob")]
    upgrade(bob, root)
    jobs = [bob.until_ended(job_id) for job_id in submitted]
    assert {job["status"] for job in jobs} == {"done"}
    attempts = [attempt for job in jobs for attempt in job["attempts"]]
    assert {attempt["outcome"] for attempt in attempts} == {"succeeded"}
