"""A worker with several places that runs one job only says that this job crashed before."""

from typing import Any

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.crash_cell import CellState
from tests.earlier import submit_earlier


def test_a_job_that_crashed_runs_alone_and_its_worker_says_so(api: Any) -> None:
    store = api.store
    since_ms = store.clock.wall_ms() - 7_200_000
    api.process("supervisor", role=Role.SUPERVISOR, started_at_ms=since_ms)
    store.processes.put_slots([api.slot("default-1", SlotState.READY, incarnation="life-1")])
    api.process("default-1", incarnation="life-1", places=4)
    jobs = [NewJob("add", queue="mail")] * 6
    submit_earlier(store, jobs, 90_000)

    def alone() -> bool:
        (one,) = (x for x in api.client.get("/workers").json()["items"] if x["slot"] == "default-1")
        return bool(one["runs_alone"])

    (lease,) = api.lease(1)
    assert not alone(), "it has a job for the first time"
    store.leases.free("life-1", CellState(lease.token, running=True))
    assert not alone(), "it has none"
    (again,) = api.lease(1)
    assert (again.job_id, again.crashes, alone()) == (lease.job_id, 1, True)
    waiting = api.client.get("/jobs?status=pending").json()["items"][0]["id"]
    why = api.client.get(f"/jobs/{waiting}/why").json()
    (reason,) = why["reasons"]
    assert (why["runs"], reason["code"]) == (False, "workers_busy")
    assert "all 4 places" in reason["text"]
    assert "(after a crash, default-1 runs one job alone)" in reason["text"]
