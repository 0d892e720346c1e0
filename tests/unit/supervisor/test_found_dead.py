"""A worker that died while no supervisor ran: the time of the outage is not run time."""

from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import LastExit, Role
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, open_store
from orpheus.supervisor import startup
from orpheus.supervisor.policy.slot import Cause, ProcessEnded
from orpheus.supervisor.recorder import end_process
from orpheus.supervisor.startup import sweep_database

NIGHT_MS = 8 * 3_600_000


class NextMorning(SystemClock):
    """The clock a night later."""

    def wall_ms(self) -> int:
        return super().wall_ms() + NIGHT_MS

    def monotonic_ms(self) -> int:
        return super().monotonic_ms() + NIGHT_MS


def sweep(store: Store) -> None:
    sweep_database(store, "host-1", store.clock.boot_id, store.clock.wall_ms())


def see_it_die(store: Store) -> None:
    last_exit = LastExit(store.clock.wall_ms(), "killed", signal="SIGKILL", code=None, evidence="")
    end_process(store, "host-1", ProcessEnded("default-1", "life", last_exit, Cause.CRASHED))


@pytest.mark.parametrize(
    ("found", "ran_on"), [(sweep, False), (see_it_die, True)], ids=["found dead", "seen to die"]
)
def test_a_job_ran_until_its_worker_was_heard_last_or_seen_to_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found, ran_on: bool
) -> None:
    monkeypatch.setattr(startup, "kill_family", lambda _: None)
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    with closing(open_store(url, create=True)) as store:
        worker = own_record(store.clock, "host-1", Role.WORKER, "default-1", "life")
        store.processes.register(replace(worker, create_time_s=0.0))  # that process is gone
        job_id = store.jobs.submit(NewJob("noop")).job.id
        store.leases.lease(Holder("default-1", "life", 1), ("*",), 1, 30_000)
    with closing(open_store(url, clock=NextMorning())) as store:
        found(store)
        (attempt,) = store.jobs.attempts(job_id)
    assert attempt.finished_at_ms is not None
    assert (attempt.finished_at_ms - attempt.started_at_ms >= NIGHT_MS) is ran_on
