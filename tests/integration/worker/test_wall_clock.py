"""The wall clock jumps by hours under a real worker: leases do not notice, delayed jobs do.

libfaketime moves the clock of one process; the monotonic clock it leaves alone, as the kernel does
when somebody sets the date.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Status
from tests.moved_clock import moved_clock

HOUR_S = 3_600
Jump = Callable[[int], None]


@pytest.fixture(scope="module")
def clock_file(shared_folder: Path) -> Iterator[Path]:
    """Holds the difference between the worker's wall clock and the true one."""
    offset = shared_folder / "offset"
    offset.write_text("+0\n")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in moved_clock().items():
            patch.setenv(name, value)
        patch.setenv("FAKETIME_TIMESTAMP_FILE", str(offset))
        patch.setenv("FAKETIME_NO_CACHE", "1")
        yield offset


@pytest.fixture(scope="module")
def worker(clock_file: Path, shared_worker: Any) -> Any:
    """A worker whose wall clock the tests can set."""
    return shared_worker


@pytest.fixture
def database(worker: Any, shared_database: Any) -> Any:
    """That worker's database."""
    return shared_database


@pytest.fixture
def jump(clock_file: Path) -> Iterator[Jump]:
    """Sets the worker's wall clock so many seconds off the true one; the end sets it right."""

    def set_offset(seconds: int) -> None:
        new = clock_file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(clock_file)

    yield set_offset
    set_offset(0)


def test_a_running_job_keeps_its_lease_while_the_clock_jumps(
    jump: Jump, database: Any, worker: Any, wait_for: Callable[..., Any], tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    job_id = database.submit("chatty", f'{{"wait_for": "{go_on}"}}', max_retries=0)
    database.wait(job_id, Status.IN_PROGRESS)
    over_ms = database.store.clock.monotonic_ms() + 3_000
    [process] = database.store.processes.all()
    for hours in (+5, -7):
        jump(hours * HOUR_S)
        beat = database.store.processes.all()[0].beat
        wait_for(lambda: database.store.processes.all()[0].beat > beat + 1, "beats after the jump")  # noqa: B023
        assert database.store.leases.reclaim_expired() == []
    wait_for(lambda: database.store.clock.monotonic_ms() > over_ms, "renewals of the lease")
    go_on.touch()
    job = database.wait(job_id)
    assert (job.status, database.outcomes(job_id)) == (Status.DONE, ["succeeded"])
    [attempt] = database.store.jobs.attempts(job_id)
    assert attempt.finished_at_ms < job.created_at_ms - HOUR_S  # so the clock did jump
    assert attempt.finished_at_ms > attempt.started_at_ms
    assert database.store.processes.all()[0].incarnation == process.incarnation
    assert "lease" not in worker.log()


def test_a_clock_set_back_delays_delayed_jobs_and_no_others(jump: Jump, database: Any) -> None:
    jump(-5 * HOUR_S)
    delayed = database.submit("nap", '{"seconds": 0}', delay_ms=10, priority=9)
    at_once = [database.submit("nap", '{"seconds": 0}') for _ in range(3)]
    for job_id in at_once:
        assert database.wait(job_id).status is Status.DONE
    assert database.store.jobs.get(delayed).status is Status.PENDING
    jump(0)
    assert database.wait(delayed).status is Status.DONE
