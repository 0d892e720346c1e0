"""Leases that expire while their worker renews them."""

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob, Status
from tests.contract.conftest import TTL_MS, FakeClock, Opener

pytestmark = pytest.mark.backends("postgresql")


def test_a_lease_that_is_renewed_late_is_not_reclaimed_meanwhile(
    another: Opener, clock: FakeClock, holder: Holder
) -> None:
    worker, upkeep = another(), another()
    worker.jobs.submit_many([NewJob("noop")] * 2)
    kept, taken = worker.leases.lease(holder, ["*"], 2, TTL_MS)
    clock.advance(TTL_MS)
    with worker.write(durable=False):
        assert worker.leases.renew({kept.job_id: kept.token}, TTL_MS, late=True) == set()
        assert upkeep.leases.reclaim_expired() == [taken.job_id]
    assert upkeep.leases.reclaim_expired() == []
    assert worker.jobs.get(kept.job_id).status is Status.IN_PROGRESS
