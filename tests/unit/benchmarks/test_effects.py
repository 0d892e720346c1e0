"""The effect log: it sees every job that was lost or ran twice, also by two processes at once."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.effects import Effects, NotExactlyOnce

ROOT = Path(__file__).parents[3]
JOBS = 20


@pytest.fixture
def effects(tmp_path: Path) -> Effects:
    return Effects(tmp_path, JOBS)


def run(effects: Effects, jobs: Iterable[int]) -> None:
    """Run these jobs in a process of their own."""
    program = f"from benchmarks.effects import record\nfor n in {list(jobs)}: record(n)"
    environment = {"PYTHONPATH": str(ROOT), **effects.environment()}
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, check=True)


def test_jobs_of_two_processes_that_each_ran_once_pass(effects: Effects) -> None:
    run(effects, range(12))
    assert effects.seen(0, JOBS) == 12
    run(effects, range(12, JOBS))

    effects.check(0, JOBS)
    assert effects.seen(0, JOBS) == JOBS
    assert effects.seen(15, 1) == 1


def test_a_job_that_did_not_run_is_seen(effects: Effects) -> None:
    run(effects, range(JOBS - 1))
    with pytest.raises(NotExactlyOnce, match="1 of 20 jobs did not run"):
        effects.check(0, JOBS)


def test_a_job_that_ran_twice_is_seen(effects: Effects) -> None:
    run(effects, [*range(JOBS), 7])
    with pytest.raises(NotExactlyOnce, match="1 of 20 jobs ran more than once"):
        effects.check(0, JOBS)


def test_a_job_that_ran_in_two_processes_is_seen(effects: Effects) -> None:
    run(effects, range(JOBS))
    run(effects, [3])
    with pytest.raises(NotExactlyOnce, match="1 of 20 jobs ran more than once"):
        effects.check(0, JOBS)


def test_the_steady_time_begins_when_the_last_worker_begins(effects: Effects) -> None:
    run(effects, range(10))
    run(effects, range(10, JOBS))  # after the first one has ended

    times = effects.steady_times(0, JOBS)

    assert len(times) == 10
    assert times == sorted(times)
    assert times[-1] == effects.time_of(JOBS - 1)
