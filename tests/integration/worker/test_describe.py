"""`python -m worker --describe`."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types.describe import describe_types

JOBS = Path(__file__).parent / "jobs"
A_JOB = "from orpheus import job\n@job\n"
ENDED = "ended the process (with exit code 0)"


def describe(*modules: str) -> "subprocess.CompletedProcess[str]":
    options = [part for module in modules for part in ("--module", module)]
    return subprocess.run(
        [sys.executable, "-m", "orpheus.worker", "--describe", *options],
        cwd=JOBS,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_every_type_as_json_whatever_a_module_prints() -> None:
    answer = describe("orpheus.worker.handlers", "jobs_under_test")
    assert answer.returncode == 0, answer.stderr
    described = {one["name"]: one for one in json.loads(answer.stdout)}
    assert "printed while it is imported" in answer.stderr
    assert described["deaf"]["max_retries"] == 0
    assert re.fullmatch("[0-9a-f]{64}", described["sum_range"].pop("code"))
    assert described["sum_range"] == {
        "name": "sum_range",
        "schema": {
            "title": "sum_range",
            "type": "object",
            "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 4_000_000_000}},
            "required": ["n"],
            "additionalProperties": False,
        },
        "max_retries": None,
        "timeout_s": None,
        "queue": None,
        "description": "Add up the numbers from 1 to n.",
    }


def test_a_command_with_the_name_of_a_type_is_refused_as_at_a_start(tmp_path: Path) -> None:
    file = tmp_path / "orpheus.toml"
    file.write_text("[[commands]]\nname = 'sleep'\nargv = ['true']\n")
    answer = subprocess.run(
        [sys.executable, "-m", "orpheus.worker", "--describe", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (78, "")
    assert "'sleep' is a job type of a module already" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_what_is_to_be_around_attempts_must_be_there() -> None:
    assert describe_types((), (), 60.0, around=["contextlib:nullcontext"]) == []
    for name in ("no_such_module:f", "contextlib:no_such_function"):
        why = "no_such_(module|function)"
        with pytest.raises(ConfigurationError, match=f"^jobs.around: (?!.*jobs.around).*{why}"):
            describe_types((), (), 60.0, around=[name])


def test_a_module_that_does_not_import_exits_with_78_and_the_line_that_raised() -> None:
    answer = describe("broken_jobs")
    assert (answer.returncode, answer.stdout) == (78, "")
    error, head, frame, line = answer.stderr.splitlines()
    assert error == (
        "jobs.modules: broken_jobs does not import: RuntimeError: this module is broken"
    )
    assert head == "Traceback (most recent call last):"
    assert "broken_jobs.py" in frame and line.strip().startswith("raise RuntimeError")


def test_a_missing_module_exits_with_78_and_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/lib")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as raised:
        describe_types(["reports"], (), 60.0)
    error, searched = str(raised.value).splitlines()
    assert error == (
        "jobs.modules: reports does not import: ModuleNotFoundError: No module named 'reports'"
    )
    assert searched.startswith(f"looked in: {tmp_path}, {tmp_path}/lib, ")
    assert searched.endswith("; PYTHONPATH=FOLDER adds another")


def test_a_process_that_a_module_starts_neither_delays_the_description_nor_survives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., Any]
) -> None:
    """It holds the output open, as a helper that a library starts would."""
    (tmp_path / "starts_a_helper.py").write_text(
        "import pathlib, subprocess\n"
        "helper = subprocess.Popen(['sleep', '1000'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(helper.pid))\n"
        f"{A_JOB}def one(): pass\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert [row.name for row in describe_types(["starts_a_helper"], (), timeout_s=60.0)] == ["one"]
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(pid), "the helper to be gone")


def is_running(pid: int) -> bool:
    """No zombie: whoever adopted it may not have reaped it yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
