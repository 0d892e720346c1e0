"""The disk of the database is full: writes are refused with 507, and go on once there is space.

The tables are in a tablespace on a small disk. Its log is not: a server whose log has no room ends,
and is as one that was killed.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.harness import until
from tests.machine import slowness
from tests.many_hosts.checked import WatchedHosts
from tests.many_hosts.conftest import DATABASE, StartHosts
from tests.many_hosts.database_server import DatabaseServer

BACK_WITHIN_S = 5.0
DRAIN_BOUND_S = 30.0
A_PAGE = "x" * 8_000


@pytest.fixture(scope="module")
def shared_small_disk(shared_server: DatabaseServer) -> Iterator[Path]:
    """Where new tables are. It needs root."""
    disk = shared_server.folder / "small"
    disk.mkdir()
    options = "size=24m,mode=0700,uid=postgres,gid=postgres"
    mount = ["mount", "-t", "tmpfs", "-o", options, "small", str(disk)]
    if os.getuid() or subprocess.run(mount, check=False).returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("file systems cannot be mounted")
    with shared_server.connect() as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'".encode())
        connection.execute(f"ALTER DATABASE {DATABASE} SET default_tablespace = small".encode())
    yield disk
    shared_server.end()
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture(scope="module")
def shared_watch(
    shared_server: DatabaseServer, shared_small_disk: Path, start_hosts: StartHosts
) -> Iterator[WatchedHosts]:
    watch = WatchedHosts(shared_server, DATABASE, start_hosts({"ada": shared_server.url()}))
    yield watch
    watch.stop()


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_writes_are_refused_while_it_is_full_and_go_on_at_once_after(
    shared_watch: WatchedHosts, shared_small_disk: Path
) -> None:
    [ada] = shared_watch.hosts
    shared_watch.run_one(on=ada, submitted_to=ada)
    pids = {name: slot["pid"] for name, slot in ada.workers().items()}
    ballast = shared_small_disk / "ballast"

    def is_refused() -> bool:
        fill(ballast)
        job = {"type": "wordcount", "payload": {"text": A_PAGE}}
        answer = ada.client.post("/jobs", json=job)
        assert answer.status_code in (201, 503, 507), answer.text
        return answer.status_code == 507

    until(is_refused, "a write to be refused")
    ballast.unlink()
    began_s = time.monotonic()
    shared_watch.run_one(on=ada, submitted_to=ada)
    assert time.monotonic() - began_s < BACK_WITHIN_S * slowness()
    shared_watch.check_once_healed(DRAIN_BOUND_S)
    assert pids == {name: slot["pid"] for name, slot in ada.workers().items()}
