"""Leases of a dead worker that a server commits after its death."""

from pathlib import Path

from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.processes import LastExit
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.storage import open_store
from orpheus.supervisor.late_leases import LateLeases
from orpheus.supervisor.policy.slot import Cause, ProcessEnded
from orpheus.supervisor.recorder import end_process


def test_a_lease_that_is_committed_after_its_worker_was_freed_costs_its_job_nothing(
    tmp_path: Path,
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/orpheus.db", create=True)
    store.has_many_hosts = True
    job_id = store.jobs.submit(NewJob("noop", max_retries=0)).job.id
    store.state.cells.mkdir()
    cell = store.state.cell("life-1")
    Cell.create(cell).close()
    last_exit = LastExit(1, "killed by SIGKILL", signal="SIGKILL", code=None, evidence=None)
    ended = ProcessEnded("default-1", "life-1", last_exit, Cause.CRASHED)
    late = LateLeases()

    assert end_process(store, "host-1", ended) == []
    late.watch(ended, until_s=30.0)
    assert late.look(store, 1.0) == []
    assert store.leases.lease(Holder("default-1", "life-1", 1), ("*",), 1, 30_000)
    assert late.look(store, 2.0) == [job_id]
    assert store.jobs.get(job_id).status is Status.PENDING
    assert store.jobs.attempts(job_id) == []
    assert cell.exists()
    late.look(store, 30.0)
    assert not cell.exists()
    store.close()
