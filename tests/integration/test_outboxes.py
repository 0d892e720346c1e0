"""Outboxes of a running Orpheus: by its configuration, and while everything is killed at random."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.outbox.table import create_table
from orpheus.shared.storage import open_store
from tests.machine import wait_until

WRITER = Path(__file__).parent / "outbox_writer.py"
POOL = "[pools.default]\nworkers = 1\n"
WaitFor = Callable[..., Any]


def execute(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Execute statements in an application's database; the rows of the last one."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.set_busy_timeout(30_000)
        return connection.execute(sql).fetchall()


def outbox(name: str, database: Path, **more: str) -> str:
    """The TOML of one outbox."""
    fields = {"name": name, "url": f"sqlite:///{database}", "poll": "50ms", **more}
    return "[[outboxes]]\n" + "".join(f"{key} = {value!r}\n" for key, value in fields.items())


class Killed:
    """An application and an Orpheus that drains it, both killed and started again."""

    def __init__(self, start_system: Callable[..., Any], folder: Path, orders: int) -> None:
        self.database = folder / "shop.db"
        execute(self.database, "PRAGMA journal_mode = wal")
        orders_sql = "CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT);"
        execute(self.database, orders_sql + create_table("sqlite"))
        config = folder / "orpheus.toml"
        config.write_text(POOL + outbox("shop", self.database))
        self.system = start_system(config=config)
        self.orders = orders
        self.kills = {"writer": 0, "supervisor": 0}
        self.written = 0
        """How many orders there were when the application was started."""
        self.writer: subprocess.Popen[bytes] | None = None

    def write(self, seed: int) -> None:
        """Start the application, if it has not written enough."""
        self.written = self.count("orders")
        if self.written < self.orders:
            command = [sys.executable, str(WRITER), str(self.database), str(self.orders), str(seed)]
            self.writer = subprocess.Popen(command)

    def count(self, table: str) -> int:
        [(rows,)] = execute(self.database, f"SELECT count(*) FROM {table}")
        return int(rows)

    def until_written(self) -> None:
        """Until the application has written since it was started; a busy machine is slow to."""
        writer, before = self.writer, self.written
        if writer is not None:
            wait_until(
                lambda: writer.poll() is not None or self.count("orders") > before, "an order"
            )

    def kill_writer(self) -> None:
        if self.writer is not None:
            self.kills["writer"] += self.writer.poll() is None
            self.writer.kill()
            self.writer.wait(30)

    def kill_supervisor(self) -> None:
        self.kills["supervisor"] += 1
        self.system.process.send_signal(signal.SIGKILL)
        self.system.process.wait(30)

    def start_supervisor(self) -> None:
        starts = self.system.log().count("Orpheus is running")
        self.system.process = self.system._start()
        wait_until(lambda: self.system.log().count("Orpheus is running") > starts, "the next start")

    def numbers(self) -> list[int]:
        """What the jobs compute, which is the order of each."""
        with closing(open_store(f"sqlite:///{self.system.database}")) as store:
            jobs = store.jobs.page(JobFilter(), self.orders * 2)
        return sorted(json.loads(job.payload)["n"] for job in jobs)


@pytest.mark.timeout(600)
def test_whatever_is_killed_each_committed_row_becomes_one_job(
    start_system: Callable[..., Any], tmp_path: Path
) -> None:
    chance = random.Random(int(os.environ.get("SEED", "1")))
    orders = int(os.environ.get("OUTBOX_ROWS", "600"))
    killed = Killed(start_system, tmp_path, orders)
    at_least = 2 if orders < 1000 else 3
    began_s = time.monotonic()
    killed.write(0)
    for turn in range(1, 1000):
        killed.until_written()
        time.sleep(chance.uniform(0, 0.05))
        killed.kill_writer()
        if turn % 3 == 0:
            killed.kill_supervisor()
            killed.write(turn)
            killed.start_supervisor()
            time.sleep(chance.uniform(0, 0.5))
        else:
            killed.write(turn)
        is_over = killed.count("orders") >= orders and killed.count("orpheus_outbox") == 0
        if is_over and killed.kills["supervisor"] >= at_least:
            break
    killed.kill_writer()
    sys.stdout.write(f"{orders} rows, {killed.kills} in {time.monotonic() - began_s:.0f} s\n")
    assert killed.kills["writer"] >= 3
    committed = [row[0] for row in execute(killed.database, "SELECT id FROM orders ORDER BY id")]
    assert killed.numbers() == committed
    assert killed.system.stop() == 0
