"""How much of a job's log a killed worker leaves, and how much of a long traceback is kept."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orpheus.shared.domain.jobs import Status

Start = Callable[..., Any]
Wait = Callable[..., Any]


def test_a_kill_loses_only_the_last_moments_of_the_log(
    database: Any, start_alone: Start, tmp_path: Path, wait_for: Wait
) -> None:
    worker = start_alone().wait_until_ready()
    told = tmp_path / "told"
    job_id = database.submit("counting", f'{{"file": "{told}"}}')
    wait_for(lambda: len(database.store.logs.after(job_id, 0, 1_000)) > 100, "some lines")
    worker.signal(signal.SIGKILL)
    worker.wait()
    kept = database.store.logs.after(job_id, 0, 10_000)
    assert [int(one.line) for one in kept] == list(range(len(kept)))
    [*_, last] = told.read_text().split()
    assert int(last) - int(kept[-1].line) <= 100, "200 lines a second at most: half a second"


def test_a_traceback_is_kept_up_to_64_kib_with_both_ends(database: Any, start_alone: Start) -> None:
    start_alone().wait_until_ready()
    job = database.wait(database.submit("verbose_failure", max_retries=0))
    assert job.status is Status.FAILED
    assert "characters left out" in job.error.traceback
    assert len(job.error.traceback.encode()) <= 65_536
    assert job.error.traceback.startswith("Traceback")
    assert job.error.traceback.rstrip().endswith("the end")
