"""Leases that have expired are seen without the database."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.process.crash_cell import Cell
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.leasing.fence import FenceThread
from orpheus.worker.leasing.held_leases import HeldLeases

EXPIRES_S = 30.0


class Fenced:
    """A worker that may run a job, with a fence that looks when the test says so."""

    def __init__(self, held: HeldLeases, lease: Lease) -> None:
        self.now_s = 0.0
        self.held = held
        self._lease = lease
        self.fence = FenceThread(
            held, lambda: round(self.now_s * 1000), lease_ttl_s=30.0, renew_every_s=10.0
        )

    def fetch_ahead(self) -> None:
        self.held.add([self._lease])

    def start(self) -> RunningAttempt:
        self.fetch_ahead()
        running = self.held.start_next(0.0, lambda: 0)
        assert running is not None
        return running

    def look_at(self, now_s: float) -> float:
        self.now_s = now_s
        return self.fence.look(now_s)


@pytest.fixture
def fenced(make_lease: Callable[..., Lease], tmp_path: Path) -> Fenced:
    held = HeldLeases(Cell.create(tmp_path / "cell"))
    return Fenced(held, make_lease(expires_mono_ms=round(EXPIRES_S * 1000)))


def test_a_job_is_asked_to_stop_when_its_lease_expires_and_not_before(fenced: Fenced) -> None:
    attempt = fenced.start()
    fenced.look_at(29.9)
    assert not attempt.lease_lost
    fenced.look_at(EXPIRES_S)
    assert attempt.lease_lost


def test_it_looks_when_the_leases_expire_and_seldom_before(fenced: Fenced) -> None:
    fenced.start()
    assert fenced.look_at(1.0) == 7.5
    assert fenced.look_at(28.0) == pytest.approx(2.0)


def test_a_job_that_starts_between_two_looks_stops_in_time_however_old_its_lease_is(
    fenced: Fenced,
) -> None:
    fenced.fetch_ahead()
    assert fenced.look_at(28.0) == pytest.approx(2.0)


def test_a_worker_without_jobs_is_looked_at_so_seldom_that_no_new_lease_expires(
    fenced: Fenced,
) -> None:
    assert fenced.look_at(100.0) == 7.5
    fenced.start()
    assert fenced.look_at(7.5) == 7.5


def test_a_process_that_stood_still_may_first_renew_its_leases(fenced: Fenced) -> None:
    attempt = fenced.start()
    fenced.fence._stall.expect(20.0 + fenced.look_at(20.0))
    fenced.look_at(45.0)
    assert not attempt.lease_lost
    fenced.fence._stall.expect(55.0)
    fenced.look_at(54.9)
    assert not attempt.lease_lost
    fenced.look_at(55.0)
    assert attempt.lease_lost
