"""How often a worker waits for the server before a job runs."""

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.storage import Store

TTL_MS = 30_000


@pytest.mark.parametrize("jobs", [1, 10])
def test_a_lease_takes_two_messages(
    timed: Store, holder: Holder, messages: list[int], jobs: int
) -> None:
    ids = timed.jobs.submit_many([NewJob("noop")] * jobs)
    messages.clear()
    leases = timed.leases.lease(holder, ["*"], 64, TTL_MS)
    has_delayed = timed.leases.has_delayed()
    assert len(messages) == 2
    assert [lease.job_id for lease in leases] == list(ids)
    assert sorted({lease.token for lease in leases}) == [lease.token for lease in leases]
    assert not has_delayed
    assert timed.maintenance.verify() == []


def test_no_job_is_locked_before_the_limits_are(timed: Store, holder: Holder) -> None:
    timed.jobs.submit_many([NewJob("noop", queue="mail"), NewJob("noop")])
    timed.queues.configure({"mail": QueueRules(max_running=1)})
    with timed.write(durable=False):
        assert timed.leases._due_jobs.unlimited(["*"], 10) == []
        locked = "SELECT count(*) FROM orpheus.jobs WHERE xmax <> 0"
        assert timed._database.all(locked) == [(0,)]
    assert len(timed.leases.lease(holder, ["*"], 10, TTL_MS)) == 2
    assert timed.maintenance.verify() == []
