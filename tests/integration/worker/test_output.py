"""What a job writes is in its log, however it writes it and whatever happens to the worker."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.processes import LastExit
from orpheus.supervisor.policy.slot import ProcessEnded
from orpheus.supervisor.recorder import end_process
from tests.machine import slowness

Start = Callable[..., Any]
Wait = Callable[..., Any]


def end_the_dead(database: Any) -> None:
    """What a supervisor does about a dead worker."""
    for row in database.store.processes.all():
        last_exit = LastExit(0, "died", signal=None, code=None, evidence=None)
        ended = ProcessEnded(row.slot, row.incarnation, last_exit)
        end_process(database.store, "host-1", ended)


def lines_of(database: Any, job_id: int) -> list[tuple[str, str, str]]:
    lines = database.store.logs.after(job_id, 0, 100_000)
    return [(one.level, one.line, one.fields) for one in lines]


@pytest.mark.parametrize("how", ["exit", "segfault", "kill"])
def test_what_a_job_wrote_just_before_its_worker_died_is_in_its_log(
    database: Any, start_supervised: Start, how: str
) -> None:
    worker = start_supervised().wait_until_ready()
    job_id = database.submit("dying", f'{{"how": "{how}"}}')
    worker.wait()
    end_the_dead(database)
    assert sorted(lines_of(database, job_id)) == [
        ("error", "recorded", '{"logger":"some.library"}'),
        ("info", "not a whole line", "{}"),
        ("info", "printed 0", "{}"),
        ("info", "said by a program", "{}"),
        ("info", "written by C code", "{}"),
        ("warning", "complained", "{}"),
        ("warning", "logged", '{"number":1}'),
    ]
    assert database.outcomes(job_id) == ["crashed"]
    assert list(database.store.state.cells.iterdir()) == []


def test_a_kill_in_the_middle_of_a_long_log_loses_and_repeats_nothing(
    database: Any, start_supervised: Start, tmp_path: Path, wait_for: Wait
) -> None:
    worker = start_supervised().wait_until_ready()
    told = tmp_path / "told"
    job_id = database.submit("counting", f'{{"file": "{told}"}}')
    wait_for(lambda: len(database.store.logs.after(job_id, 0, 1_000)) > 100, "some lines")
    worker.signal(signal.SIGKILL)
    worker.wait()
    end_the_dead(database)
    kept = [int(line) for _, line, _ in lines_of(database, job_id)]
    assert kept == list(range(len(kept)))
    [*_, last] = told.read_text().split()
    assert kept[-1] >= int(last)


def test_a_stderr_that_nobody_reads_blocks_no_job_and_is_in_its_log(
    database: Any, start_alone: Start
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    worker = start_alone(stderr=writing)
    os.close(writing)
    job_id = database.submit("shouting")
    job = database.wait(job_id)
    assert (job.status, job.error) == (Status.DONE, None)
    lines = lines_of(database, job_id)
    assert lines[:2] == [("warning", "stderr 0", "{}"), ("warning", "stderr 1", "{}")]
    assert lines[-1][1] in (
        "last words",
        "the log of this attempt is full: 10,000 lines or 1 MiB; the rest is dropped",
    )
    worker.signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    os.close(reading)


def test_what_a_forked_child_says_is_in_the_log_of_the_job(
    shared_database: Any, shared_worker: Any
) -> None:
    job_id = shared_database.submit("speaking_in_a_child")
    assert shared_database.wait(job_id).result == "1"
    lines = [line for _, line, _ in lines_of(shared_database, job_id)]
    assert lines[:3] == [
        "printed by the child",
        'logged by the child {"n":1}',
        'recorded by the child {"logger":"some.library"}',
    ]
    assert lines[3].startswith("Traceback")
    assert lines[-1] == "ValueError: the child leaves"


@pytest.mark.parametrize("job_type", ["leaving_a_thread", "leaving_a_child"])
def test_what_a_job_left_delays_no_exit_for_long(
    database: Any, start_supervised: Start, job_type: str
) -> None:
    worker = start_supervised().wait_until_ready()  # half of its beat timeout is 0.5 s
    assert database.wait(database.submit(job_type)).status is Status.DONE
    worker.channel.send({"do": "stop"})
    assert worker.wait(10 * slowness()) == 0
    assert ("left-behind" in worker.log()) == (job_type == "leaving_a_thread")
    assert "exit_cut_short" in worker.log()
    assert database.store.processes.all() == []
