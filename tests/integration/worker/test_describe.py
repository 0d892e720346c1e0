"""`python -m worker --describe`."""

import json
import re
import subprocess
import sys
from pathlib import Path

JOBS = Path(__file__).parent / "jobs"


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


def test_a_module_that_does_not_import_exits_with_78_and_the_line_that_raised() -> None:
    answer = describe("broken_jobs")
    assert (answer.returncode, answer.stdout) == (78, "")
    error, head, frame, line = answer.stderr.splitlines()
    assert error == (
        "jobs.modules: broken_jobs does not import: RuntimeError: this module is broken"
    )
    assert head == "Traceback (most recent call last):"
    assert "broken_jobs.py" in frame and line.strip().startswith("raise RuntimeError")
