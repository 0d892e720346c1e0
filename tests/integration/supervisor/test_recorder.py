"""What the recorder does with what it could not write for a while."""

import os
import select
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.config.handovers import for_database
from orpheus.config.settings import Settings
from orpheus.shared.domain.jobs import Holder, NewJob, Outcome, Status
from orpheus.shared.domain.processes import LastExit, ProcessRecord, Role
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, open_store
from orpheus.supervisor import late_leases, recorder
from orpheus.supervisor.policy.slot import Cause, ProcessEnded
from orpheus.supervisor.recorder import Duties, Recorder
from orpheus.supervisor.startup import sweep_database
from tests.machine import PATIENCE_S


def ended(slot: str, number: int, code: int) -> ProcessEnded:
    last_exit = LastExit(number, f"exit code {code}", signal=None, code=code, evidence=None)
    return ProcessEnded(slot, f"{slot}-{number}", last_exit, Cause.FAILED)


def test_a_slot_is_unfreed_until_the_end_of_its_process_is_written_or_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "kill_family", lambda _: None)
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    open_store(url, create=True).close()
    myself = own_record(SystemClock(), "host-1", Role.SUPERVISOR, "supervisor", "me", ready=True)
    one = Recorder(myself, Duties(lambda: open_store(url), 2.0, Upkeep(for_database(Settings()))))
    one.end_process(ended("default-1", 1, code=9))
    one.end_process(ended("default-2", 1, code=74))
    one.end_process(ended("default-3", 1, code=0))
    one.end_process(replace(ended("default-4", 1, code=9), was_stopped=True))
    assert one.unfreed() == {"default-1"}, "no lease of the others counts against a type"
    with monkeypatch.context() as later:
        later.setattr(recorder, "_FREED_WITHIN_S", 0.0)
        assert one.unfreed() == set()
    assert one.unfreed() == {"default-1"}
    one.start()
    assert select.select([one], [], [], PATIENCE_S)[0], "the main loop is woken"
    assert one.unfreed() == set()
    assert one.stop(PATIENCE_S)


Known = tuple[Store, Recorder, ProcessRecord]
DEAD = ended("default-1", 1, code=9)
LEASING = Holder(DEAD.slot, DEAD.incarnation, 1)


@pytest.fixture
def beside_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Known]:
    """A store, a recorder on it as on one of many hosts, and the row of a worker that is dead."""
    monkeypatch.setattr(recorder, "kill_family", lambda _: None)
    url = f"sqlite:///{tmp_path}/orpheus.db"
    store = open_store(url, create=True)
    store.state.cells.mkdir()
    cell = store.state.cell(DEAD.incarnation)
    Cell.create(cell).close()
    os.utime(cell, (0.0, 0.0))
    process = own_record(SystemClock(), "host-1", Role.WORKER, DEAD.slot, DEAD.incarnation)
    store.processes.register(replace(process, create_time_s=0.0))

    def open_of_many_hosts() -> Store:
        opened = open_store(url)
        opened.has_many_hosts = True
        return opened

    upkeep = Upkeep(for_database(Settings()))
    myself = own_record(SystemClock(), "host-1", Role.SUPERVISOR, "supervisor", "me", ready=True)
    duties = Duties(open_of_many_hosts, 2.0, upkeep, lease_ttl_s=600.0)
    yield store, Recorder(myself, duties), process
    store.close()


def is_freed(store: Store, wait_for: Callable[..., Any]) -> None:
    """Wait for the end of the dead worker, and for that of a lease that it gets afterwards."""
    job_id = store.jobs.submit(NewJob("noop", max_retries=0)).job.id
    wait_for(
        lambda: DEAD.incarnation not in [row.incarnation for row in store.processes.all()],
        "its end",
    )
    assert store.leases.lease(LEASING, ("*",), 1, 600_000)
    wait_for(lambda: store.jobs.get(job_id).status is Status.PENDING, "the lease to be freed")
    assert store.jobs.attempts(job_id) == []


@pytest.mark.parametrize("by_sweep", [False, True], ids=["while it runs", "at the start"])
def test_it_frees_leases_of_a_dead_worker_that_come_to_light_later_until_it_ends(
    beside_hosts: Known, wait_for: Callable[..., Any], by_sweep: bool
) -> None:
    store, one, process = beside_hosts
    if by_sweep:
        store.has_many_hosts = True
        for ended in sweep_database(store, "host-1", process.boot_id, now_ms=1):
            one.watch_late(ended)
    one.start()
    if not by_sweep:
        one.end_process(DEAD)
    is_freed(store, wait_for)
    cell = store.state.cell(DEAD.incarnation)
    assert cell.exists()
    assert one.stop(10)
    assert not cell.exists()


def test_it_waits_at_its_end_for_leases_of_a_worker_that_was_killed_just_before(
    beside_hosts: Known, wait_for: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, one, _ = beside_hosts
    monkeypatch.setattr(late_leases, "_LIKELY_S", inf)
    one.start()
    one.end_process(DEAD)
    assert not one.stop(0.0), "it has just begun to stop"
    is_freed(store, wait_for)
    monkeypatch.setattr(late_leases, "_LIKELY_S", 0.0)
    assert one.stop(PATIENCE_S)


@pytest.mark.parametrize(
    ("cause", "was_stopped", "counts"),
    [
        (Cause.CRASHED, False, True),
        (Cause.OUT_OF_MEMORY, False, True),
        (Cause.STOPPED, True, False),
        (None, False, False),
    ],
    ids=["by itself", "for lack of memory", "told to end", "nobody saw why"],
)
def test_a_death_counts_against_the_type_of_its_job_unless_somebody_wanted_it(
    tmp_path: Path, cause: Cause | None, was_stopped: bool, counts: bool
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/orpheus.db", create=True, quarantine_after=1)
    job_id = store.jobs.submit(NewJob("fragile")).job.id
    (lease,) = store.leases.lease(Holder("default-1", "life-1", 1), ("*",), 1, 30_000)
    store.state.cells.mkdir()
    cell = Cell.create(store.state.cell("life-1"))
    cell.enter(lease.token, lease.job_id)
    cell.close()
    last_exit = LastExit(1, "killed by SIGSEGV", signal="SIGSEGV", code=None, evidence=None)
    end = ProcessEnded("default-1", "life-1", last_exit, cause, was_stopped=was_stopped)
    assert recorder.end_process(store, "host-1", end) == [job_id]
    assert [one.outcome for one in store.jobs.attempts(job_id)] == [Outcome.CRASHED]
    found = [crash.evidence for one in store.quarantines.all() for crash in one.crashes]
    assert found == ["killed by SIGSEGV"] * counts
    store.close()
