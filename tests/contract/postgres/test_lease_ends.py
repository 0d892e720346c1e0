"""When a lease ends, on the clock of its worker and on the database's."""

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.storage import Store
from orpheus.shared.storage.postgres.clock import host_ns

TTL_MS = 30_000


def test_a_worker_that_was_told_the_time_late_ends_its_lease_by_so_much_earlier(
    timed: Store, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed.jobs.submit(NewJob("noop"))
    late_ns = 700_000_000
    # As if each question had been asked so long before its answer came.
    asked = "orpheus.shared.storage.postgres.connection.host_ns"
    monkeypatch.setattr(asked, lambda: host_ns() - late_ns)
    before_ms = timed.own_clock.monotonic_ms()
    (lease,) = timed.leases.lease(holder, ["*"], 1, TTL_MS)
    after_ms = timed.own_clock.monotonic_ms()
    assert before_ms + TTL_MS - 701 <= lease.expires_mono_ms
    assert lease.expires_mono_ms <= after_ms + TTL_MS - 700
