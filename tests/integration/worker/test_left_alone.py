"""What a worker without a supervisor leaves when it dies: its jobs' last words, and its files."""

import json
import os
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from orpheus.shared.operations.reclaim import forget_dead_workers

Start = Callable[..., Any]


def files(database: Any) -> set[str]:
    return {file.name for file in database.store.state.cells.iterdir()}


def beat_ago(database: Any, seconds: float) -> None:
    """Let every row look as if its process had been silent for so long."""
    store = database.store
    for row in store.processes.all():
        at_ms = store.clock.monotonic_ms() - round(seconds * 1000)
        store.processes.forget(row.incarnation)
        store.processes.register(replace(row, last_beat_mono_ms=at_ms))


def assert_stored_what_it_wrote_last(database: Any, job_id: int) -> None:
    database.wait(job_id)
    assert database.outcomes(job_id) == ["crashed"]
    lines = [one.line for one in database.store.logs.after(job_id, 0, 100)]
    assert {"printed 0", "complained", "written by C code", "not a whole line"} <= set(lines)
    assert len(lines) == len(set(lines))


def test_the_next_worker_stores_what_it_wrote_last_and_its_files_are_deleted_then(
    database: Any, start_alone: Start
) -> None:
    first = start_alone().wait_until_ready()
    job_id = database.submit("dying", json.dumps({"how": "exit"}), max_retries=0)
    first.wait()
    [dead] = database.store.processes.all()
    left = files(database)
    assert left == {f"{dead.incarnation}{suffix}" for suffix in ("", ".lines", ".out")}
    beat_ago(database, 70)
    forget_dead_workers(database.store)
    assert files(database) == left, "its job is not reclaimed yet"
    without_row = database.store.state.cell("one-that-has-no-row")
    without_row.touch()
    os.utime(without_row, (0, 0))
    second = start_alone().wait_until_ready()
    assert_stored_what_it_wrote_last(database, job_id)
    forget_dead_workers(database.store)
    assert [row.pid for row in database.store.processes.all()] == [second.pid]
    assert left.isdisjoint(files(database))
    assert not without_row.exists()


def test_a_worker_that_is_alive_or_has_just_beaten_is_not_forgotten(
    database: Any, start_alone: Start
) -> None:
    dead, alive = (
        start_alone(
            {
                "heartbeats.interval": "1m",
                "heartbeats.timeout": "1h",
                "leases.ttl": "3h",
                "leases.renew_every": "1h",
            }
        )
        for _ in range(2)
    )
    for one in (dead, alive):
        one.wait_until_ready()
    dead.signal(9)
    dead.wait()
    forget_dead_workers(database.store)
    assert len(database.store.processes.all()) == 2
    beat_ago(database, 70)
    forget_dead_workers(database.store)
    assert [row.pid for row in database.store.processes.all()] == [alive.pid]
