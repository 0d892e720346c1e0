"""The lowest versions that pyproject.toml allows are enough, not only those of the lock file."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.packaging.installed import ROOT, clean_environment, uv

NEEDS_NEWER = ("schemathesis", "mcp")
"""What the tests below do not use, and what would raise the versions."""


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_the_tests_pass_with_the_lowest_versions(tmp_path: Path) -> None:
    environment = tmp_path / "lowest"
    uv("venv", "--python", sys.executable, environment)
    install = ("pip", "install", "--python", environment)
    uv(*install, "--resolution", "lowest-direct", "-e", ".[postgres]")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tools = project["dependency-groups"]["dev"]
    uv(*install, *(tool for tool in tools if not tool.startswith(NEEDS_NEWER)))
    suites = ["tests/unit", "tests/contract", "tests/integration/worker"]
    suites += ["tests/api/test_slow_clients.py", "tests/api/test_frames.py"]
    options = ("-q", "-n2", "-p", "no:randomly", "-k", "not postgres", "--ignore=tests/unit/docs")
    run = subprocess.run(
        [environment / "bin" / "python", "-m", "pytest", *options, *suites],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
