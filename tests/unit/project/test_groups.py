"""Tests that share something run in one process of a run, so that it is started once."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TESTS = """
import os
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("group", [pytest.param(g, marks=pytest.mark.xdist_group(g)) for g in "ab"])
def test_of_a_group(group, number):
    with Path(__file__).with_name(group).open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + " ")
"""


def test_the_tests_of_a_group_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_groups.py").write_text(TESTS)
    plugins = ("-p", "xdist", "-p", "tests.groups", "-p", "no:cacheprovider")
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-n2", "--dist=loadgroup", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
    assert "@" not in answer.stdout  # ids can be copied from the output
    processes = [set((tmp_path / group).read_text().split()) for group in "ab"]
    assert processes in ([{"gw0"}, {"gw1"}], [{"gw1"}, {"gw0"}])
