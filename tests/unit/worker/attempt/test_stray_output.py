"""What is written to the descriptors 1 and 2, and in whose log it is."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.stray_output import StrayOutput


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def stray(file: Path) -> Iterator[StrayOutput]:
    """Not started: between the phases of a test, pytest moves the descriptors itself."""
    sys.stdout.flush()
    made = StrayOutput(file, MagicMock())
    yield made
    made.stop()
    for fd in made.saved:
        os.close(fd)


@pytest.fixture
def attempt(make_lease: Callable[..., Lease]) -> RunningAttempt:
    return RunningAttempt(make_lease(), 0.0)


def lines(attempt: RunningAttempt) -> list[str]:
    return [one.line for one in attempt.job_log().take()]


def test_whole_lines_are_taken_while_a_job_runs_and_the_rest_at_its_end(
    stray: StrayOutput, attempt: RunningAttempt
) -> None:
    stray.start()
    os.write(1, b"one\r\ntw")
    stray.take(lambda: attempt)
    assert lines(attempt) == ["one"]
    subprocess.run(["/bin/echo", "o, by a program"], check=True)
    os.write(2, b"thr\xffee\n\nend")
    stray.finish(attempt)
    assert lines(attempt) == ["two, by a program", "thr\\xffee", "", "end"]


def test_what_is_written_as_one_job_follows_another_is_left_to_the_second(
    stray: StrayOutput, attempt: RunningAttempt, make_lease: Callable[..., Lease]
) -> None:
    stray.start()
    second = RunningAttempt(make_lease(job_id=8), 1.0)
    os.write(1, b"of the second\n")
    running = iter([attempt, second])
    stray.take(lambda: next(running))
    assert attempt.log is None
    stray.finish(second)
    assert lines(second) == ["of the second"]


def test_the_file_stays_small(stray: StrayOutput, attempt: RunningAttempt, file: Path) -> None:
    stray.start()
    for _ in range(30):
        os.write(2, b"x" * 99_999 + b"\n")
        stray.take(lambda: attempt)
    assert file.stat().st_size < 2_000_000
    stray.finish(attempt)
    os.write(2, b"y" * 100_000)
    stray.finish(attempt)
    assert file.stat().st_size == 0
    os.write(2, b"and on")
    attempt.log = None
    stray.finish(attempt)
    assert lines(attempt) == ["and on"]


def test_a_program_that_empties_the_file_loses_nothing_of_what_it_writes_then(
    stray: StrayOutput, attempt: RunningAttempt
) -> None:
    """A shell's `> /dev/stderr` opens the file anew, and so empties it."""
    stray.start()
    os.write(1, b"a long line of the job before\n")
    stray.finish(attempt)
    attempt.log = None
    for said in ("the longest of them", "shorter", "end"):
        subprocess.run(["/bin/sh", "-c", f"echo {said} > /dev/stderr"], check=True)
        stray.take(lambda: attempt)
    stray.finish(attempt)
    subprocess.run(
        ["/bin/sh", "-c", "echo of the next, which writes more > /dev/stdout"], check=True
    )
    stray.finish(attempt)
    assert lines(attempt) == [
        "the longest of them",
        "shorter",
        "end",
        "of the next, which writes more",
    ]


@pytest.mark.parametrize("damage", ["closed", "deleted", "another file"])
def test_a_job_that_damages_the_descriptors_or_the_file_ends_nothing(
    stray: StrayOutput, attempt: RunningAttempt, file: Path, damage: str
) -> None:
    stray.start()
    if damage == "closed":
        os.close(2)
    elif damage == "deleted":
        file.unlink()
    else:
        other = os.open(file.with_name("other"), os.O_RDWR | os.O_CREAT)
        os.write(other, b"not ours")
        os.dup2(other, 2)
        os.close(other)
    os.write(1, b"said\n")
    stray.take(lambda: attempt)
    stray.finish(attempt)
    assert lines(attempt) == ([] if damage == "deleted" else ["said"])
    if damage == "another file":
        assert file.with_name("other").read_bytes() == b"not ours"


def test_a_full_log_takes_no_more(stray: StrayOutput, attempt: RunningAttempt) -> None:
    stray.start()
    os.write(1, b"\n" * 30_000)
    stray.take(lambda: attempt)
    os.write(1, b"more\n")
    stray.finish(attempt)
    kept = lines(attempt)
    assert (len(kept), attempt.job_log().is_full) == (10_000, True)
    assert "the rest is dropped" in kept[-1]
