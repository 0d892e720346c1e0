"""What a file in the folder of failpoints makes a process do, and when nothing is armed."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.shared.process.failpoints import failpoint, name_program, program_failpoint

PROGRAM = """
from orpheus.shared.process.failpoints import failpoint, name_program
name_program("worker")
failpoint("worker.here")
print("still here", flush=True)
"""


@pytest.fixture(autouse=True)
def disarm() -> Iterator[None]:
    """Whatever a test arms in this process."""
    yield
    name_program("", {})


def environment(folder: Path) -> dict[str, str]:
    return {"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(folder)}


@contextlib.contextmanager
def program(folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """A process that passes one point and says so."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment(folder)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def output(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.read()


@pytest.mark.parametrize(
    ("deed", "code"),
    [("kill", -signal.SIGKILL), ("exit 7", 7), ("exit 0\n", 0)],
)
def test_a_process_dies_as_the_file_says(tmp_path: Path, deed: str, code: int) -> None:
    (tmp_path / "worker.here").write_text(deed)
    with program(tmp_path) as process:
        assert process.wait(20) == code
        assert output(process) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_process_stops_there_until_it_is_continued(tmp_path: Path) -> None:
    (tmp_path / "worker.here").write_text("stop")
    with program(tmp_path) as process:
        assert process.stdout is not None
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert select.select([process.stdout], [], [], 0)[0] == [], "it has said nothing yet"
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) == 0
        assert output(process) == "still here\n"


def test_a_point_strikes_once_and_no_other(tmp_path: Path) -> None:
    name_program("api", environment(tmp_path))
    point = tmp_path / "api.acknowledge"
    point.write_text("dance")
    failpoint("api.other")
    with pytest.raises(ValueError, match="dance"):
        failpoint("api.acknowledge")
    failpoint("api.acknowledge")
    assert not point.exists()


def test_a_point_that_all_programs_have_bears_the_programs_name(tmp_path: Path) -> None:
    name_program("api", environment(tmp_path))
    (tmp_path / "worker.commit.before").write_text("dance")
    (tmp_path / "api.commit.after").write_text("dance")
    program_failpoint("commit.before")
    with pytest.raises(ValueError, match=r"api\.commit\.after"):
        program_failpoint("commit.after")


@pytest.mark.parametrize("missing", ["ORPHEUS_TESTING", "ORPHEUS_FAILPOINTS"])
def test_nothing_is_armed_without_both_variables(tmp_path: Path, missing: str) -> None:
    name_program("api", {k: v for k, v in environment(tmp_path).items() if k != missing})
    (tmp_path / "api.acknowledge").write_text("dance")
    failpoint("api.acknowledge")
    name_program("api", {**environment(tmp_path), "ORPHEUS_TESTING": "yes"})
    failpoint("api.acknowledge")
