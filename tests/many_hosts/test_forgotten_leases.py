"""A server that is killed forgets the leases whose commits did not wait for the disk."""

from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, Lease, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, open_store
from tests.chaos.histories import Run
from tests.many_hosts.checked import remembered
from tests.many_hosts.conftest import DATABASE
from tests.many_hosts.database_server import DatabaseServer

TTL_MS = 60_000


def leased(store: Store, name: str) -> Lease:
    [lease] = store.leases.lease(Holder(name, name, 1), ("*",), 1, TTL_MS)
    return lease


def test_a_forgotten_lease_can_end_nothing(shared_server: DatabaseServer, tmp_path: Path) -> None:
    store = open_store(shared_server.url(DATABASE), create=True, state_dir=str(tmp_path))
    job_id = store.jobs.submit(NewJob("t")).job.id
    shared_server.hold_log()
    before = leased(store, "ada")
    shared_server.kill()
    shared_server.start()
    assert store.jobs.get(job_id).status == "pending", "its lease is forgotten"
    after = leased(store, "bob")
    assert after.token != before.token
    ended = [Finished(one, Ending.SUCCEEDED, result=f'"{one.token}"') for one in (before, after)]
    assert store.leases.finish(ended[:1]) == {before.token}
    assert store.leases.finish(ended[1:]) == set()
    assert store.jobs.get(job_id).result == f'"{after.token}"'
    store.close()


class NoAttempts:
    """Tables without an attempt."""

    def look(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return []


@pytest.mark.parametrize(
    ("begun_s", "is_forgotten"), [(-1, True), (1, True), (-60, False), (60, False)]
)
def test_a_run_without_an_attempt_is_forgotten_if_its_lease_was_there_at_the_kill(
    monkeypatch: pytest.MonkeyPatch, begun_s: int, is_forgotten: bool
) -> None:
    kill_ns = 10**12
    monkeypatch.setattr("tests.many_hosts.checked.KILLS_NS", [kill_ns])
    run = Run(8, 1, 100, "life", kill_ns + begun_s * 10**9)
    assert remembered([run], NoAttempts()) == ([] if is_forgotten else [run])
