"""In a checkout the three programs start by their short names as well as by their full ones.

All other tests start them by the full ones.
"""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.packaging.installed import ROOT, clean_environment
from tests.variants import variants


def run(*arguments: str) -> str:
    """Run a module of the checkout; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "name", variants(["supervisor", "orpheus.supervisor", "orpheus"], "supervisor")
)
def test_the_supervisor_says_its_version(name: str) -> None:
    assert run(name, "--version") == f"orpheus {version('orpheus-jobs')}\n"


@pytest.mark.parametrize("name", variants(["api", "orpheus.api"], "api"))
def test_the_api_says_how_it_is_used(name: str) -> None:
    assert run(name, "--help").startswith(f"Usage: python -m {name} ")


@pytest.mark.parametrize("name", variants(["worker", "orpheus.worker"], "worker"))
def test_a_worker_describes_its_job_types(name: str) -> None:
    types = [one["name"] for one in json.loads(run(name, "--describe"))]
    assert {"sum_range", "wordcount", "flaky", "sleep"} <= set(types)
