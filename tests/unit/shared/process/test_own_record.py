"""The first heartbeat row of a process."""

import os

from orpheus.shared.domain.processes import Role
from orpheus.shared.process.clock import SystemClock, create_time_s
from orpheus.shared.process.own_record import own_record


def test_it_identifies_the_process_that_calls_it() -> None:
    clock = SystemClock()
    row = own_record(clock, "host-1", Role.WORKER, "default-1", "life", pool="default")
    assert (row.slot, row.incarnation, row.pool, row.role) == (
        "default-1",
        "life",
        "default",
        Role.WORKER,
    )
    assert (row.pid, row.create_time_s) == (os.getpid(), create_time_s(os.getpid()))
    assert row.boot_id == clock.boot_id
    assert (row.ready, row.beat, row.job_id, row.jobs_done) == (False, 0, None, 0)
