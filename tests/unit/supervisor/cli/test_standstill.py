"""While a process holds the write lock, that is told first, and not what comes of it."""

import contextlib
import json
import os
import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import DatabaseFull, DatabaseUnusable
from orpheus.shared.messages.worker_list import workers_of
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, state_files
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.supervisor.startup import lock_database, note_supervisor
from tests.slot_rows import slot

Orpheus = Callable[..., Any]
URL = "sqlite:///data/orpheus.db"
QUIET_S = 45
QUIET = r"(4[5-9]|5\d)(\.\d+)? s"
"""As long, and the time that a busy machine takes to ask."""


@pytest.fixture
def supervised(store: Store) -> Iterator[Store]:
    """A supervisor that holds its lock, and a worker: both were last heard when somebody wrote."""
    fd = lock_database(state_files(URL))
    note_supervisor(fd, "life-of-supervisor")
    heard_ms = store.clock.monotonic_ms() - QUIET_S * 1000
    for role, name, pool in (
        (Role.SUPERVISOR, "supervisor", None),
        (Role.WORKER, "default-1", "default"),
    ):
        life = f"life-of-{name}"
        record = own_record(store.clock, "host-1", role, name, life, pool=pool, ready=True)
        record = replace(record, last_beat_mono_ms=heard_ms, jobs_done=7, places=3)
        store.processes.register(record)
    names = ("supervisor", "default-1")
    store.processes.put_slots([slot(name, SlotState.READY) for name in names])
    yield store
    os.close(fd)


def let_log_be_quiet(for_s: float = QUIET_S) -> None:
    quiet_since_s = time.time() - for_s
    os.utime("data/orpheus.db-wal", (quiet_since_s, quiet_since_s))


def status(orpheus: Orpheus) -> Any:
    return json.loads(orpheus("status", "--json").out)


@pytest.mark.usefixtures("supervised")
def test_a_supervisor_that_holds_its_lock_has_not_gone_however_silent(orpheus: Orpheus) -> None:
    found = status(orpheus)
    told = [(one["slot"], one["jobs_done"], one["places"]) for one in found["workers"]]
    assert told == [("supervisor", 7, 3), ("default-1", 7, 3)], "as they were heard last"
    first, second = (one["text"] for one in found["verdict"]["concerns"])
    assert re.match(f"No heartbeat from the supervisor for {QUIET}", first)
    assert re.match(f"No heartbeat from default-1 for {QUIET}", second)
    assert "counts as dead" not in second, "nobody is there to do it"


def test_on_a_full_disk_that_is_told_and_nobody_is_silent(
    orpheus: Orpheus, supervised: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteDatabase, "has_little_space", lambda _: True)
    let_log_be_quiet(for_s=1)  # not for long: a write that fails changes it, too
    before = Path("data/orpheus.db-wal").stat().st_mtime_ns
    assert supervised.maintenance.standstill() is None
    assert Path("data/orpheus.db-wal").stat().st_mtime_ns > before, "it was tried"
    full = DatabaseFull("no space is left on the device that holds /srv/orpheus.db")
    monkeypatch.setattr(SqliteDatabase, "begin_and_undo", Mock(side_effect=full))
    found = status(orpheus)
    concern = found["verdict"]["concerns"][0]
    assert concern["code"] == "no_writes"
    assert concern["text"].startswith(f"The database cannot be written: {full}. No job can start")
    assert "silent" not in [one["code"] for one in found["verdict"]["concerns"]]
    told = [(one["slot"], one["state"], one["heartbeat_age_s"]) for one in found["workers"]]
    assert told == [("supervisor", "ready", None), ("default-1", "ready", None)]


def test_a_database_that_was_moved_away_is_told_at_once(supervised: Store) -> None:
    Path("data/orpheus.db").rename("data/away.db")
    found = supervised.maintenance.standstill()
    assert found is not None
    assert "data/orpheus.db or its -wal file was moved, deleted or replaced" in found.why
    (worker,) = (
        one
        for one in workers_of(supervised, supervised_on=None, beat_timeout_s=15)
        if one.role is Role.WORKER
    )
    assert (worker.silent, worker.jobs_done) == (False, 7)
    assert supervised.maintenance.database_bytes() == Path("data/away.db").stat().st_size
    Path("data/away.db").rename("data/orpheus.db")
    assert supervised.maintenance.standstill() is None


@contextlib.contextmanager
def quota_used_up() -> Iterator[None]:
    """No file grows: a write begins, and its commit fails. There is space for others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # Python ignores the signal
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_cannot_be_committed_is_told_though_it_can_begin(supervised: Store) -> None:
    let_log_be_quiet()
    with quota_used_up():
        supervised._database.all("BEGIN IMMEDIATE")
        supervised._database.all("ROLLBACK")
        found = supervised.maintenance.standstill()
        with pytest.raises(DatabaseUnusable) as not_ready:
            supervised.writable()
    assert found is not None and found.why == str(not_ready.value)
    assert supervised.maintenance.standstill() is None
    assert supervised.writable()
