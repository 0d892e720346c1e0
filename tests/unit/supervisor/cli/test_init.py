"""`orpheus init`: the files of a new project, and that they work."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.testing.test_plugin import run_pytest

NAMES = ["orpheus.toml", "jobs.py", "test_jobs.py", "orpheus.schema.json"]
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


def test_nothing_is_overwritten(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("mine")
    answer = orpheus("init", "--json")
    written = ["orpheus.toml", "test_jobs.py", "orpheus.schema.json"]
    assert answer.json == {"written": written, "kept": ["jobs.py"]}
    (tmp_path / "orpheus.toml").write_text("mine")
    code, out, _ = orpheus("init")
    assert code == 0
    assert "wrote" not in out and out.startswith("kept orpheus.toml: it already exists\n")
    assert '"jobs" must be in [jobs] modules of orpheus.toml' in out
    assert (tmp_path / "jobs.py").read_text() == (tmp_path / "orpheus.toml").read_text() == "mine"
