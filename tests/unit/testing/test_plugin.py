"""The pytest plugin: its fixture, the snippets of docs/testing-jobs.md, and runs without it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "testing-jobs.md").read_text(encoding="utf-8")
(JOBS,) = re.findall(r"```python jobs\n(.*?)```", PAGE, re.DOTALL)
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def run_pytest(folder: Path, *options: str) -> str:
    """Run pytest in a project, with no other plugin, and return what it prints."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("ORPHEUS_CONFIG", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "orpheus.pytest_plugin", "-W", "error",
         "-p", "no:cacheprovider", *options],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_the_snippets_of_the_page_pass(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    for number, snippet in enumerate(SNIPPETS):
        (tmp_path / f"test_{number}.py").write_text(snippet)
    tests = sum(snippet.count("def test_") for snippet in SNIPPETS)
    assert tests == 6
    assert f"{tests} passed" in run_pytest(tmp_path)


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("orpheus.toml", ""),
        ("config/orpheus.toml", ""),
        ("other.toml", "orpheus_config = other.toml"),
    ],
)
def test_the_fixture_uses_the_configuration_of_the_project(
    tmp_path: Path, file: str, setting: str
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / file).write_text('[jobs]\nmodules = ["own_jobs"]\nmax_retries = 9\n')
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{setting}\n")
    (tmp_path / "own_jobs.py").write_text(
        "from orpheus import job\n\n@job\ndef own() -> None: ...\n"
    )
    (tmp_path / "test_own.py").write_text(
        "def test_own(orpheus):\n    assert orpheus.submit('own').max_retries == 9\n"
    )
    assert "1 passed" in run_pytest(tmp_path)


def test_the_plugin_is_registered_and_imports_nothing_but_pytest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"orpheus": "orpheus.pytest_plugin"}
    code = (
        "import sys, pytest; before = {*sys.modules}; import orpheus.pytest_plugin; "
        "print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["orpheus", "orpheus.pytest_plugin"]
