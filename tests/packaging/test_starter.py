"""What `orpheus init` writes passes its own test and a strict type check, in a fresh folder."""

import re
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT, Installed

pytestmark = pytest.mark.xdist_group("packaging")


def write_samples(folder: Path) -> None:
    """Write what the documentation prints to be copied, as modules."""
    pages = {"readme": "README.md", "jobs_page": "docs/jobs.md", "tested": "docs/testing-jobs.md"}
    for name, page in pages.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        samples = re.findall(r"```python(?: jobs)?\n(.*?)```", text, re.DOTALL)
        # Its packages are not installed here, or its names are those of another sample.
        other = re.compile(r"from (opentelemetry|orpheus import Client)\b")
        chosen = [one for one in samples if not other.match(one)]
        module = re.sub(r"^from jobs import .*\n", "", "\n".join(chosen), flags=re.MULTILINE)
        (folder / f"{name}.py").write_text(module, encoding="utf-8")


def test_the_starter_passes_its_test_and_mypy_knows_its_job_and_the_samples_of_the_pages(
    application: Installed, tmp_path: Path
) -> None:
    starter = Installed(tmp_path, application.environment)
    assert starter.run(starter.orpheus, "init").returncode == 0
    run = starter.run(starter.python, "-m", "pytest", "-q")
    assert run.returncode == 0, run.stdout + run.stderr
    test = (tmp_path / "test_jobs.py").read_text()
    wrong = test.replace('greet.new(name="Ada")', "greet.new(name=5)")
    (tmp_path / "wrong_calls.py").write_text(wrong)
    write_samples(tmp_path)
    run = starter.mypy(".")
    [error] = [line for line in run.stdout.splitlines() if ": error: " in line]
    assert error.startswith("wrong_calls.py:") and 'Argument "name" has' in error
