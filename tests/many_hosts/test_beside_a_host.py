"""What starts beside a host: an API without a supervisor, and a host again that was killed."""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx2
import pytest

from tests.chaos.harness import until
from tests.conftest import ROOT
from tests.many_hosts.conftest import StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host

ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@pytest.fixture(scope="module")
def shared_host(shared_server: DatabaseServer, start_hosts: StartHosts) -> Host:
    [ada] = start_hosts({"ada": shared_server.url()})
    return ada


def arguments(server: DatabaseServer, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Those of a program with a folder of its own, and its environment."""
    settings = {
        "database.url": server.url(),
        "database.state_dir": str(folder / "state"),
        "api.port": "0",
    }
    sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
    return sets, environment


@pytest.fixture
def api_alone(
    shared_server: DatabaseServer, shared_host: Host, tmp_path: Path
) -> Iterator[httpx2.Client]:
    """The API as on a host that runs nothing else."""
    sets, environment = arguments(shared_server, tmp_path)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "orpheus.api", *sets],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
    try:
        found = until(lambda: ADDRESS.search(log.read_text()), "its address in the log")
        with httpx2.Client(base_url=found[0], timeout=40, trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.long
def test_a_host_that_was_killed_starts_again_at_once(shared_host: Host) -> None:
    shared_host.kill_everything()
    shared_host.start()
    shared_host.until_ready()


@pytest.mark.long
def test_who_waits_at_an_api_alone_hears_of_what_another_host_commits(
    api_alone: httpx2.Client, shared_host: Host
) -> None:
    late_s = []
    for _ in range(9):
        job = {"type": "sleep", "payload": {"seconds": 0.3}}
        answer = api_alone.post("/jobs", json=job)
        assert answer.status_code == 201, answer.text
        done = api_alone.get(f"/jobs/{answer.json()['id']}?wait=10").json()
        assert done["status"] == "done"
        late_s.append(time.time() - datetime.fromisoformat(done["finished_at"]).timestamp())
    assert statistics.median(late_s) < 0.3, f"a poll comes each second: {late_s}"
