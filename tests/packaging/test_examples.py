"""Every example runs beside the installed wheel: its own tests, and a strict type check."""

import shutil
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT, Installed

pytestmark = pytest.mark.xdist_group("packaging")

EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if path.is_dir())
WITH_PYTEST = sorted(path.parent.name for path in (ROOT / "examples").glob("*/test_*.py"))
"""Django has a test runner of its own, and no types: test_mysite.py runs it."""


@pytest.fixture(params=WITH_PYTEST)
def example(request: pytest.FixtureRequest, application: Installed, tmp_path: Path) -> Installed:
    """A copy of an example, with the environment in which the wheel is installed."""
    folder = tmp_path / request.param
    shutil.copytree(ROOT / "examples" / request.param, folder)
    return Installed(folder, application.environment)


def test_its_own_tests_pass(example: Installed) -> None:
    run = example.run(example.python, "-m", "pytest", "-q")
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def test_a_strict_type_checker_accepts_it(example: Installed) -> None:
    run = example.mypy(".")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_test_runs_it_on_a_real_orpheus(name: str) -> None:
    assert (ROOT / "tests" / "packaging" / f"test_{name}.py").exists()
