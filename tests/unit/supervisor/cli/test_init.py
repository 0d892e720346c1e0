"""`orpheus init`: the files of a new project, and that they work."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.testing.test_plugin import run_pytest

NAMES = ["orpheus.toml", "jobs.py", "test_jobs.py"]
Orpheus = Callable[..., Any]


def test_the_files_of_a_new_project_work(orpheus: Orpheus, tmp_path: Path) -> None:
    code, out, err = orpheus("init")
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if line.startswith("wrote")] == [
        f"wrote {name}" for name in NAMES
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(NAMES)
    assert "2 passed" in run_pytest(tmp_path)
    assert orpheus("config", "check").code == 0
    described = subprocess.run(
        [sys.executable, "-m", "orpheus.worker", "--describe"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert [one["name"] for one in json.loads(described)] == ["greet"]
    file = tmp_path / "orpheus.toml"
    settings, example = file.read_text().split("\n# [[", 1)
    file.write_text(f"{settings}\n[[{example.replace('# ', '')}")
    assert orpheus("config", "check").code == 0, "what is commented out"


@pytest.mark.parametrize(
    ("given", "variable", "path", "options"),
    [
        ([], None, "orpheus.toml", []),
        (["--config", "our files/own.toml"], None, "our files/own.toml", None),
        (["--config", "config/orpheus.toml"], None, "config/orpheus.toml", None),
        (["--config", "config/orpheus.toml"], "own.toml", "config/orpheus.toml", None),
        ([], "own.toml", "own.toml", []),
    ],
)
def test_what_is_to_be_done_next_can_be_pasted(
    orpheus: Orpheus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    variable: str | None,
    path: str,
    options: list[str] | None,
) -> None:
    if variable is not None:
        monkeypatch.setenv("ORPHEUS_CONFIG", variable)
    code, out, _ = orpheus("init", *given)
    assert code == 0 and (tmp_path / path).read_text().startswith("# The settings of this")
    told = [line.partition(":")[2].split("#")[0] for line in out.splitlines() if ": " in line]
    commands = [shlex.split(line) for line in told if line.split()[:1] == ["orpheus"]]
    in_file = next(line for line in (tmp_path / path).read_text().splitlines() if "`" in line)
    commands.append(shlex.split(in_file.split("`")[1]))
    expected = given if options is None else options
    assert len(commands) == 3
    for command in commands:
        assert command[0] == "orpheus"
        assert command[1:].count("--config") == bool(expected)
        assert not expected or " ".join(expected) in " ".join(command)
    shown = orpheus(*commands[-1][1:])
    assert shown.code == 0 and 'jobs.modules = ["jobs"] ' in shown.out


def test_nothing_is_overwritten(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("mine")
    answer = orpheus("init", "--json")
    written = ["orpheus.toml", "test_jobs.py"]
    assert answer.json == {"written": written, "kept": ["jobs.py"]}
    (tmp_path / "orpheus.toml").write_text("mine")
    code, out, _ = orpheus("init")
    assert code == 0
    assert "wrote" not in out and out.startswith("kept orpheus.toml, which was there\n")
    assert '"jobs" must be in [jobs] modules of orpheus.toml' in out
    assert (tmp_path / "jobs.py").read_text() == (tmp_path / "orpheus.toml").read_text() == "mine"
