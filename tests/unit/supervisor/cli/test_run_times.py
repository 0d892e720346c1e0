"""How long a job ran, as `orpheus jobs` and `show` tell it."""

import contextlib
from collections.abc import Callable
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store

Orpheus = Callable[..., Any]
WORKER = Holder("default-1", "incarnation", 7)


def test_a_job_that_ended_runs_no_longer_though_its_attempt_is_not_there(
    orpheus: Orpheus, store: Store
) -> None:
    store.jobs.submit(NewJob("count", max_retries=0))
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.finish([Finished(lease, Ending.FAILED, None, JobError("E", "no", None))])
    with contextlib.closing(apsw.Connection("data/orpheus.db")) as database:
        database.execute("DELETE FROM ended_attempts")
        database.execute("UPDATE jobs SET started_at_ms = 1000, finished_at_ms = 4000")
    heads, row = orpheus("jobs").out.splitlines()
    assert row[heads.index("RAN") :].startswith("3 s ")


def test_a_job_whose_worker_was_found_dead_ran_until_that_was_heard_last(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as failed only now, but it has not run for all that time."""
    store.jobs.submit(NewJob("count", max_retries=0))
    (held,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    next_morning_ms = held.started_at_ms + 8 * 3_600_000
    monkeypatch.setattr(store.clock, "wall_ms", lambda: next_morning_ms)
    cell = CellState(held.token, running=True)
    store.leases.free(WORKER.incarnation, cell, seen_ms=held.started_at_ms + 35_000)
    heads, row = orpheus("jobs").out.splitlines()
    assert row[heads.index("RAN") :].startswith("35 s ")
    heads, row, *_ = orpheus("show", "1").out.partition("\n\n")[2].splitlines()
    assert row[heads.index("RAN") :].startswith("35 s ")
    told = orpheus("show", "1", "--json").json
    assert told["ran_until"] == told["attempts"][0]["finished_at"] != told["finished_at"]
