"""What `orpheus init` writes passes its own test and a strict type check, in a fresh folder."""

from pathlib import Path

import pytest

from tests.packaging.installed import Installed

pytestmark = pytest.mark.xdist_group("packaging")


def test_the_starter_passes_its_test_and_mypy_knows_its_job(
    application: Installed, tmp_path: Path
) -> None:
    starter = Installed(tmp_path, application.environment)
    assert starter.run(starter.orpheus, "init").returncode == 0
    run = starter.run(starter.python, "-m", "pytest", "-q")
    assert run.returncode == 0, run.stdout + run.stderr
    test = (tmp_path / "test_jobs.py").read_text()
    wrong = test.replace('greet.new(name="Ada")', "greet.new(name=5)")
    (tmp_path / "wrong_calls.py").write_text(wrong)
    run = starter.mypy(".")
    [error] = [line for line in run.stdout.splitlines() if ": error: " in line]
    assert error.startswith("wrong_calls.py:") and 'Argument "name" to "new"' in error
