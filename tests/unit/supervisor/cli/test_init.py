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

NAMES = ["orpheus.toml", "jobs.py", "test_jobs.py", "mypy.ini"]
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
    written = ["orpheus.toml", "test_jobs.py", "mypy.ini"]
    assert answer.json == {"written": written, "kept": ["jobs.py"]}
    (tmp_path / "orpheus.toml").write_text("mine")
    code, out, _ = orpheus("init")
    assert code == 0
    assert "wrote" not in out and out.startswith("kept orpheus.toml, which was there\n")
    assert (tmp_path / "jobs.py").read_text() == (tmp_path / "orpheus.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("kept", "is_told"),
    [
        ("", True),
        ('[jobs]\nmodules = ["shop.jobs"]\n', True),
        ("jobs = 5", True),
        ("[jobs\n", True),
        ('[jobs]\nmodules = ["shop.jobs", "jobs"]\n', False),
        ('jobs.modules = ["jobs"]\n', False),
    ],
)
def test_a_file_that_is_kept_and_does_not_name_the_module_is_told(
    orpheus: Orpheus, tmp_path: Path, kept: str, is_told: bool
) -> None:
    (tmp_path / "our files").mkdir()
    (tmp_path / "our files/mine.toml").write_text(kept)
    out = orpheus("init", "--config", "our files/mine.toml").out
    told = 'First:          add "jobs" to [jobs] modules of our files/mine.toml\nStart it: '
    assert (told in out) == is_told, out


@pytest.mark.parametrize("name", ["mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"])
def test_what_mypy_reads_already_is_left_alone(orpheus: Orpheus, tmp_path: Path, name: str) -> None:
    """Of several files mypy reads one, so a new one could hide the settings of the project."""
    (tmp_path / name).write_text("[project]\n")
    assert "mypy.ini" not in orpheus("init", "--json").json["written"]
    told = f"add the plugin orpheus.mypy_plugin to {name} "
    assert told in orpheus("init").out
    (tmp_path / name).write_text('[tool.mypy]\nplugins = ["orpheus.mypy_plugin"]\n')
    assert "plugin" not in orpheus("init").out
    assert {file.name for file in tmp_path.iterdir()} == {*NAMES[:3], name}


def test_a_folder_that_cannot_be_written_is_told(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/proc")
    code, _, err = orpheus("init")
    assert code == 1
    assert err.startswith("orpheus: cannot write orpheus.toml: ")
