"""A worker that dies without a supervisor: only the job that it was running pays for it."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob

Start = Callable[..., Any]
Wait = Callable[..., Any]
AHEAD = {"leases.ahead": "1s"}
DIE_IN_THE_NEXT = json.dumps({"point": "worker.job.entered", "deed": "kill"})
BEFORE, BEHIND = 5, 60


@pytest.fixture
def dead(database: Any, start_alone: Start, tmp_path: Path) -> list[int]:
    """The jobs of a worker that was killed in one of them, with many leased behind it."""
    failpoints = tmp_path / "failpoints"
    failpoints.mkdir()
    worker = start_alone(AHEAD, failpoints=failpoints).wait_until_ready()
    known = [NewJob("nap"), NewJob("arming", '{"point": "nothing", "deed": "exit 0"}')]
    for job_id in database.store.jobs.submit_many(known * 30):  # now it knows that they are short
        database.wait(job_id)
    nap, arming = NewJob("nap", max_retries=0), NewJob("arming", DIE_IN_THE_NEXT, max_retries=0)
    ids = database.store.jobs.submit_many([*[nap] * BEFORE, arming, *[nap] * (1 + BEHIND)])
    assert worker.wait() == -signal.SIGKILL
    leased = [job_id for job_id in ids if database.outcomes(job_id) == [None]]
    assert len(leased) > BEHIND / 2
    return list(ids)


def assert_only_entered_jobs_paid(database: Any, ids: list[int]) -> None:
    entered, running, behind = ids[: BEFORE + 1], ids[BEFORE + 1], ids[BEFORE + 2 :]
    for job_id in ids:
        database.wait(job_id)
    for job_id in entered:  # their results were not committed, and they have no retry
        assert database.outcomes(job_id) in (["lost"], ["succeeded"])
    assert database.outcomes(running) == ["crashed"]
    assert [database.outcomes(job_id) for job_id in behind] == [["succeeded"]] * BEHIND


def test_the_next_worker_alone_reclaims_by_the_dead_ones_cell(
    database: Any, start_alone: Start, dead: list[int]
) -> None:
    start_alone(AHEAD)
    assert_only_entered_jobs_paid(database, dead)


def test_so_does_the_first_one_after_a_reboot(
    database: Any, start_alone: Start, dead: list[int]
) -> None:
    with_another_boot(database.file)
    start_alone(AHEAD | {"leases.ttl": "1h"})
    assert_only_entered_jobs_paid(database, dead)


def with_another_boot(file: Path) -> None:
    """As if the machine had been rebooted since everything in the database was written."""
    connection = apsw.Connection(os.fspath(file))
    connection.execute("UPDATE jobs SET lease_boot_id = 'before/1' WHERE status = 'in_progress'")
    connection.execute("UPDATE processes SET boot_id = 'before/1'")
    connection.close()
