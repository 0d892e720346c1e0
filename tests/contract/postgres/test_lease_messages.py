"""How often a worker waits for the server before a job runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.storage import Store, open_store

TTL_MS = 30_000


@pytest.fixture
def store(postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    """A store with the clock of the server."""
    opened = open_store(postgresql_url, create=True, state_dir=str(tmp_path / "state"))
    yield opened
    opened.close()


@pytest.mark.parametrize("jobs", [1, 10])
def test_a_lease_takes_two_messages(
    store: Store, holder: Holder, messages: list[int], jobs: int
) -> None:
    ids = store.jobs.submit_many([NewJob("noop")] * jobs)
    messages.clear()
    leases = store.leases.lease(holder, ["*"], 64, TTL_MS)
    has_delayed = store.leases.has_delayed()
    assert len(messages) == 2
    assert [lease.job_id for lease in leases] == list(ids)
    assert sorted({lease.token for lease in leases}) == [lease.token for lease in leases]
    assert not has_delayed
    assert store.maintenance.verify() == []


def test_no_job_is_locked_before_the_limits_are(store: Store, holder: Holder) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail"), NewJob("noop")])
    store.queues.configure({"mail": QueueRules(max_running=1)})
    with store.write(durable=False):
        assert store.leases._due_jobs.unlimited(["*"], 10) == []
        locked = "SELECT count(*) FROM orpheus.jobs WHERE xmax <> 0"
        assert store._database.all(locked) == [(0,)]
    assert len(store.leases.lease(holder, ["*"], 10, TTL_MS)) == 2
    assert store.maintenance.verify() == []
