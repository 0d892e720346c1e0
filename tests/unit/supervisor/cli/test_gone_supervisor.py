"""A supervisor that was killed is told as gone at once, by its lock and not by its silence."""

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, state_files
from orpheus.supervisor.startup import lock_database, note_supervisor
from tests.audit_log import entries_of
from tests.slot_rows import slot

Orpheus = Callable[..., Any]
NOT_HERE = 2**22 + 1
"""What the processes of another container look like: no process here has such a pid."""


@pytest.fixture
def lock(store: Store) -> Iterator[TextIO]:
    """The lock of a supervisor with a worker: both have just sent a heartbeat."""
    fd = lock_database(state_files("sqlite:///data/orpheus.db"))
    note_supervisor(fd, "life-of-supervisor")
    for role, name in ((Role.SUPERVISOR, "supervisor"), (Role.WORKER, "default-1")):
        pool = "default" if role is Role.WORKER else None
        life = f"life-of-{name}"
        record = own_record(store.clock, "host-1", role, name, life, pool=pool, ready=True)
        store.processes.register(replace(record, pid=NOT_HERE, create_time_s=1.0))
    names = ("supervisor", "default-1")
    store.processes.put_slots([slot(name, SlotState.READY, pid=NOT_HERE) for name in names])
    with os.fdopen(fd) as held:
        yield held


def test_nothing_runs_as_soon_as_its_lock_is_free(orpheus: Orpheus, lock: TextIO) -> None:
    lock.close()
    found = json.loads(orpheus("status", "--json").out)
    assert found["workers"] == []
    (concern,) = found["verdict"]["concerns"]
    gone = f"the supervisor (process {NOT_HERE}) is gone"
    assert (concern["code"], concern["text"]) == (
        "nothing_runs",
        f"Orpheus is not running: {gone}.",
    )
    said = f"orpheus: Orpheus is not running: {gone}; start one with `orpheus`\n"
    for command in (("scale", "default", "2"), ("restart", "default-1"), ("drain", "default-1")):
        assert orpheus(*command) == (1, "", said)


def test_a_job_runs_no_more_as_soon_as_its_lock_is_free(
    orpheus: Orpheus, lock: TextIO, store: Store
) -> None:
    store.jobs.submit(NewJob("count"))
    store.leases.lease(Holder("default-1", "life-of-default-1", NOT_HERE), ("*",), 1, 30_000)
    assert orpheus("why", "1").out == "job 1 (count) runs on default-1\n"
    lock.close()
    gone = "its worker default-1 is gone: Orpheus is not running; start it with `orpheus`"
    assert orpheus("why", "1") == (1, f"job 1 (count) does not run:\n  - {gone}\n", "")
    assert orpheus("why", "1", "--json").json["reasons"][0]["code"] == "worker_gone"
    assert re.search(rf"^note +{gone}$", orpheus("show", "1").out, re.MULTILINE)


@pytest.mark.usefixtures("lock")
def test_one_that_cannot_be_seen_from_here_but_holds_its_lock_runs(orpheus: Orpheus) -> None:
    """Its pid says nothing in another container; it may be stopped, too."""
    found = json.loads(orpheus("status", "--json").out)
    assert [one["slot"] for one in found["workers"]] == ["supervisor", "default-1"]
    assert found["verdict"]["concerns"] == []


def test_a_start_takes_its_lock_though_others_look_whether_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_files(f"sqlite:///{tmp_path}/orpheus.db")
    with state.lock.open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: looking.close())
        os.close(lock_database(state))


@pytest.mark.usefixtures("lock")
def test_one_that_is_stopping_is_asked_for_nothing(orpheus: Orpheus, store: Store) -> None:
    store.processes.put_slots([slot("supervisor", SlotState.STOPPING, reason="SIGINT")])
    said = "orpheus: Orpheus is stopping (SIGINT); start it again with `orpheus`\n"
    for command in (("scale", "default", "4"), ("restart", "default-1"), ("drain", "default-1")):
        assert orpheus(*command) == (1, "", said)
    assert entries_of(store, 1) == []
    found = json.loads(orpheus("status", "--json").out)
    assert found["verdict"]["concerns"][0]["code"] == "stopping"
