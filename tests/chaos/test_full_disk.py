"""A full disk: what needs space waits, and works as soon as there is some."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.chaos.harness import Orpheus, until
from tests.chaos.histories import read_effects
from tests.machine import PATIENCE_S, slowness

Start = Callable[..., Orpheus]

USER = () if os.geteuid() == 0 else ("--user", "--map-root-user")
# The log alone grows to 4 MB before it starts again; what Orpheus itself keeps must find room.
MOUNT = 'mkdir "$0" && mount -t tmpfs -o size=10m,mode=0700 small "$0" && exec "$@"'
BACK_WITHIN_S = 5.0
ROWS = 150
"""More bytes than the log of Orpheus' database has room for without growing."""


def fill(ballast: Path) -> None:
    """Take what is left, also what the dead worker's own files leave."""
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.fixture
def in_a_small_disk(tmp_path: Path) -> Callable[[Path], tuple[str, ...]]:
    """Returns what starts a command with a small disk of its own at a new folder."""
    probe = ("unshare", *USER, "--mount", "sh", "-c", 'mount -t tmpfs none "$0"', str(tmp_path))
    if not shutil.which("unshare") or subprocess.run(probe, check=False).returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("file systems cannot be mounted")
    return lambda folder: ("unshare", *USER, "--mount", "sh", "-c", MOUNT, str(folder))


def seen_by(orpheus: Orpheus, path: Path) -> Path:
    """Return the path by which this process finds what Orpheus has on its small disk."""
    return Path(f"/proc/{orpheus.supervisor.pid}/root{path}")


class Shop:
    """The process of an application with an outbox, maybe on the small disk of an Orpheus."""

    def __init__(self, file: Path, beside: Orpheus | None = None) -> None:
        argv = [sys.executable, str(Path(__file__).parent / "shop.py"), str(file)]
        if beside is not None:
            user = ("--user", "--preserve-credentials") if USER else ()
            argv = ["nsenter", "-t", str(beside.supervisor.pid), *user, "--mount", *argv]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def tell(self, what: str) -> int:
        """Have it do something; return how many rows its outbox has then."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{what}\n")
        return int(self.process.stdout.readline())

    def end(self) -> None:
        """End its input, and so the process."""
        self.process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def open_shop() -> Iterator[Callable[..., Shop]]:
    """Starts applications, and ends them before the disks that they are on."""
    shops: list[Shop] = []

    def start_one(*given: Any) -> Shop:
        shops.append(Shop(*given))
        return shops[-1]

    yield start_one
    for shop in shops:
        shop.end()


def settings_of(shop: Path) -> dict[str, str]:
    return {
        "pools.default.workers": "1",
        "outboxes": f"[{{name = 'shop', url = 'sqlite:///{shop}', poll = '200ms'}}]",
    }


def indexes_of(orpheus: Orpheus) -> list[int]:
    """Return which rows the jobs were made of, oldest first."""
    items = orpheus.get("/jobs?type=asked&limit=500")["items"]
    return [job["payload"]["index"] for job in reversed(items)]


def until_drained(orpheus: Orpheus, shop: Shop, rows: int) -> None:
    """Until the outbox is empty; then each of its rows has become one job, which was done once."""
    until(lambda: shop.tell("rows") == 0, "the outbox to be empty")
    orpheus.until_drained(PATIENCE_S)
    assert indexes_of(orpheus) == [*range(rows)]
    ends = [run.job_id for run in read_effects(orpheus.folder / "effects") if run.end_ns]
    assert len(ends) == len(set(ends)) == rows


def test_while_the_disk_of_orpheus_is_full_rows_and_workers_wait_and_each_row_becomes_a_job_once(
    start: Start,
    tmp_path: Path,
    in_a_small_disk: Callable[[Path], tuple[str, ...]],
    open_shop: Callable[..., Shop],
) -> None:
    folder = tmp_path / "orpheus-0"
    shop = open_shop(tmp_path / "shop.db")
    launcher = in_a_small_disk(folder / "data")
    orpheus = start(settings_of(tmp_path / "shop.db"), launcher=launcher)
    orpheus.until_ready()
    ballast = seen_by(orpheus, folder / "data" / "ballast")
    fill(ballast)
    assert shop.tell(f"add 0 {ROWS}") == ROWS

    def waits() -> bool:
        fill(ballast)
        return '"event": "outbox_trouble"' in orpheus.log()

    until(waits, "the outbox to be in trouble")
    assert shop.tell("rows") == ROWS
    assert indexes_of(orpheus) == []
    ballast.unlink()
    until_drained(orpheus, shop, ROWS)
    until(lambda: '"event": "outbox_well"' in orpheus.log(), "the outbox to be well")
    a_killed_worker_is_back_soon_after_there_is_space(orpheus, ballast)


def a_killed_worker_is_back_soon_after_there_is_space(orpheus: Orpheus, ballast: Path) -> None:
    """The log has grown, and has room for what follows."""
    job_id = orpheus.submit("sleep", seconds=1)
    worker = psutil.Process(orpheus.until_entered(job_id).pid)
    log_at = len(orpheus.log())
    worker.kill()

    def struck() -> bool:
        fill(ballast)
        return "SIGBUS" in orpheus.log()[log_at:] or _waits(orpheus, log_at)

    until(struck, "another worker to wait for space")
    assert "SIGBUS" not in orpheus.log()[log_at:]
    began_s = time.monotonic()
    ballast.unlink()
    orpheus.until_state("ready", not_pid=worker.pid)
    assert time.monotonic() - began_s < BACK_WITHIN_S * slowness()
    assert orpheus.until_ended(job_id)["status"] == "done"


def _waits(orpheus: Orpheus, log_at: int) -> bool:
    lines = orpheus.log()[log_at:].splitlines()
    return any("default-1" in line and "no space" in line for line in lines)


@pytest.mark.long  # integration/supervisor/outbox/draining.py has a row that cannot be deleted
def test_rows_that_cannot_be_deleted_on_a_full_disk_become_jobs_once(
    start: Start,
    tmp_path: Path,
    in_a_small_disk: Callable[[Path], tuple[str, ...]],
    open_shop: Callable[..., Shop],
) -> None:
    folder = tmp_path / "orpheus-0" / "shop"
    orpheus = start(settings_of(folder / "shop.db"), launcher=in_a_small_disk(folder))
    orpheus.until_ready()
    shop = open_shop(folder / "shop.db", orpheus)
    shop.tell("lock")
    shop.tell(f"add 0 {ROWS}")
    ballast = seen_by(orpheus, folder / "ballast")
    fill(ballast)
    shop.tell("unlock")
    what = "there is no space left on the device of"
    until(lambda: what in orpheus.log(), "the outbox to be in trouble")
    assert shop.tell("rows") == ROWS
    orpheus.until_drained(PATIENCE_S)
    assert indexes_of(orpheus) == [*range(ROWS)], "they are jobs already"
    ballast.unlink()
    until_drained(orpheus, shop, ROWS)
    shop.tell(f"add {ROWS} {ROWS + 5}")
    until_drained(orpheus, shop, ROWS + 5)
