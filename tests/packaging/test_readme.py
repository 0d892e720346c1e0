"""Each command of the README works as printed after the ones before it, on a machine without uv."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import wait_until
from tests.packaging.installed import ROOT, clean_environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
# What follows needs ids and pids that a person reads: tests/acceptance/criteria.sh runs it.
COMMANDS = README.split("## The seven acceptance criteria")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", COMMANDS, re.DOTALL | re.MULTILINE)
KILL = """
until PID=$(curl -s 127.0.0.1:8000/workers | python3 -c '
import json, sys
print(*(slot["pid"] for slot in json.load(sys.stdin)["items"] if slot["job"]))
') && test "$PID"; do :; done
kill -9 $PID
"""
"""The person's part: to find the pid of the worker that runs the job."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with what is not committed yet, and nothing else."""
    folder = tmp_path / "orpheus"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    changed = subprocess.run(
        ["git", "ls-files", "-mo", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for name in changed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An empty home and only what the system has, but for the cache of downloads."""
    home = tmp_path / "home"
    home.mkdir()
    cache = os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv"
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    without_uv = [str(folder) for folder in folders if not (folder / "uv").exists()]
    return {
        **clean_environment(),
        "HOME": str(home),
        "PATH": os.pathsep.join(folder for folder in without_uv if ".venv" not in folder),
        "UV_CACHE_DIR": str(cache),
        # All other tests run beside this one.
        "PYTEST_ADDOPTS": "-q -n0 -o testpaths=tests/unit/shared/test_text.py",
    }


@pytest.fixture
def port(clone: Path, environment: dict[str, str]) -> Iterator[int]:
    """The first command runs until the test ends."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        found: int = chosen.getsockname()[1]
    log = (clone.parent / "log").open("wb")
    supervisor = subprocess.Popen(
        ["bash", "-c", BLOCKS[0]],
        cwd=clone,
        env={**environment, "ORPHEUS_API__PORT": str(found)},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        wait_until(lambda: answers(found), "ready", timeout_s=280)
        yield found
    finally:
        os.killpg(supervisor.pid, signal.SIGINT)
        supervisor.wait(60)
        log.close()


def answers(port: int) -> bool:
    done = subprocess.run(["curl", "-sf", f"127.0.0.1:{port}/readyz"], check=False)
    return done.returncode == 0


@pytest.mark.timeout(600)
def test_each_command_works_after_the_ones_before_it(
    clone: Path, environment: dict[str, str], port: int
) -> None:
    assert len(BLOCKS) == 5
    script = "\n".join(BLOCKS[1:]).replace("kill -9 PID", KILL)
    script = script.replace("jobs/ID?", "jobs/2?").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    done = subprocess.run(
        ["bash", "-euxc", script],
        cwd=clone,
        env={name: value for name, value in environment.items() if name != "RUN_UNDER_TEST"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    printed = done.stdout.replace(" ", "")
    assert '"sum":5000050000' in printed
    assert '"outcome":"crashed"' in printed and '"outcome":"succeeded"' in printed
