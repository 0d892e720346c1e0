"""What is stored of a dead worker when its leases are reclaimed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import Role
from orpheus.shared.operations.reclaim import reclaim_expired, remove_old_cells, void_other_boots
from orpheus.shared.process.clock import Clock, SystemClock
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.process.last_lines import LineRing, stray_path
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, open_store


class AfterReboot(SystemClock):
    """The clock of another boot."""

    def __init__(self) -> None:
        self.boot_id = "another/1"


class Later(SystemClock):
    """The clock when every lease has expired."""

    def monotonic_ms(self) -> int:
        return super().monotonic_ms() + 100_000


@pytest.mark.parametrize(
    ("clock", "reclaim"), [(AfterReboot(), void_other_boots), (Later(), reclaim_expired)]
)
def test_last_lines_are_stored_once_however_many_leases_a_worker_had(
    tmp_path: Path, clock: Clock, reclaim: Callable[[Store], list[int]]
) -> None:
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    store = open_store(url, create=True)
    record = own_record(store.clock, "host-1", Role.WORKER, "default-1", "life", pool="default")
    store.processes.register(replace(record, create_time_s=1.0))  # that process is gone
    ids = store.jobs.submit_many([NewJob("t")] * 3)
    leases = store.leases.lease(Holder("default-1", "life", 1), ("*",), 3, 60_000)
    cell = store.state.cell("life")
    ring = LineRing.create(cell)
    Cell.create(cell).enter(leases[1].token, leases[1].job_id)
    ring.keep(leases[1].token, 0, 5, "info", "printed")
    stray_path(cell).write_bytes(b"written by C code\n")
    later = open_store(url, clock=clock)
    assert reclaim(later) == ids
    assert [[one.line for one in store.logs.after(job_id, 0, 9)] for job_id in ids] == [
        [],
        ["printed", "written by C code"],
        [],
    ]
    later.close()
    store.close()


@pytest.mark.parametrize("silent_ms", [40_000, 100_000], ids=["silent for a moment", "gone"])
def test_a_job_of_another_hosts_worker_that_is_gone_ran_until_its_last_beat(
    tmp_path: Path, silent_ms: int
) -> None:
    """Whether it has died cannot be seen: until it is taken for dead, it may have run on."""

    class Expired(SystemClock):
        def wall_ms(self) -> int:
            return super().wall_ms() + silent_ms

        def monotonic_ms(self) -> int:
            return super().monotonic_ms() + silent_ms

    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    store = open_store(url, create=True)
    store.processes.register(own_record(store.clock, "host-2", Role.WORKER, "default-1", "life"))
    job_id = store.jobs.submit(NewJob("t")).job.id
    store.leases.lease(Holder("default-1", "life", 1), ("*",), 1, 30_000)
    later = open_store(url, clock=Expired())
    later.has_many_hosts = True
    assert reclaim_expired(later) == [job_id]
    (attempt,) = later.jobs.attempts(job_id)
    assert attempt.finished_at_ms is not None
    ran_until_now = attempt.finished_at_ms - attempt.started_at_ms >= silent_ms
    assert ran_until_now is (silent_ms == 40_000)
    later.close()
    store.close()


def test_files_of_a_worker_without_a_row_are_deleted_once_it_has_no_lease(tmp_path: Path) -> None:
    """A worker that ends by itself after a result was refused leaves them for its lease."""
    store = open_store(f"sqlite:///{tmp_path}/data/orpheus.db", create=True)
    store.jobs.submit(NewJob("t"))
    leases = store.leases.lease(Holder("default@here-1", "life", 1), ("*",), 1, 60_000)
    files = [store.state.cells / name for name in ("life", "life.lines", "young")]
    store.state.cells.mkdir()
    for file in files:
        file.touch()
    for file in files[:2]:
        os.utime(file, (0, 0))
    remove_old_cells(store)
    assert all(file.exists() for file in files)
    store.leases.release(leases)
    remove_old_cells(store)
    assert [file.exists() for file in files] == [False, False, True]
    store.close()
