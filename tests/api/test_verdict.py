"""The verdict of `GET /stats`, and the one that `orpheus status` shows: they are the same."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role, SlotState


@pytest.fixture
def system(api: Any) -> Any:
    """An API beside a supervisor that has run for two hours, and one ready worker."""
    since_ms = api.store.clock.wall_ms() - 7_200_000
    api.process("supervisor", role=Role.SUPERVISOR, started_at_ms=since_ms)
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY, incarnation="life-1")])
    api.process("default-1", incarnation="life-1")
    return api


def verdict(api: Any) -> dict[str, Any]:
    answer = api.client.get("/stats")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["verdict"]
    return found


def test_a_system_that_is_well_says_so(system: Any) -> None:
    assert verdict(system) == {"headline": "Ready for the first job.", "concerns": []}
    system.submit()
    assert verdict(system) == {"headline": "All is well.", "concerns": []}


def test_while_another_process_holds_the_write_lock_that_is_told_and_no_silence(
    system: Any, tmp_path: Path
) -> None:
    database, heard_ms = tmp_path / "data/orpheus.db", system.store.clock.monotonic_ms() - 45_000
    for name, role in (("supervisor", Role.SUPERVISOR), ("default-1", Role.WORKER)):
        system.process(name, role, incarnation=f"old-{name}", last_beat_mono_ms=heard_ms)
    system.store.processes.forget("life-of-supervisor")
    system.store.processes.put_slots(
        [system.slot("default-1", SlotState.READY, incarnation="old-default-1")]
    )
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print(flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(database)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        quiet_since_s = time.time() - 45
        os.utime(f"{database}-wal", (quiet_since_s, quiet_since_s))
        (concern,) = verdict(system)["concerns"]
        workers = system.client.get("/workers").json()["items"]
        exposed = system.client.get("/metrics").text
    assert (concern["code"], concern["command"]) == ("no_writes", f"ps -fp {holder.pid}")
    assert concern["text"].startswith(f"Process {holder.pid} (python")
    ages = {one["slot"]: one["heartbeat_age_s"] for one in workers}
    assert ages == {"default-1": None, "supervisor": None}
    (exposed_age,) = re.findall(r'orpheus_heartbeat_age_seconds\{slot="default-1"\} (.*)', exposed)
    assert float(exposed_age) >= 45, "that is what it is for"


def test_an_acknowledged_problem_is_no_news_until_it_gets_worse(system: Any) -> None:
    lease_and_fail(system, 4)
    (found,) = verdict(system)["concerns"]
    assert (found["code"], found["severity"]) == ("type_failing", "loses_money")
    assert found["acknowledged"] is None
    path = "/concerns/type_failing/acknowledge"
    assert system.client.post(path, json={"for": "1h"}).status_code == 422
    call = {"subject": "add", "for": "1h", "reason": "the card network is down"}
    assert system.client.post("/concerns/slot/acknowledge", json=call).status_code == 404
    answer = system.client.post(path, json=call)
    assert answer.status_code == 200
    assert answer.json() == verdict(system)
    assert answer.json()["headline"] == "The only problem is acknowledged."
    known = answer.json()["concerns"][0]["acknowledged"]
    assert (known["by"], known["reason"]) == ("api:127.0.0.1", "the card network is down")
    entry = system.client.get("/audit").json()["items"][0]
    assert (entry["action"], entry["target"]) == ("acknowledge", "problem add (type failing)")
    undo = "/concerns/type_failing/unacknowledge"
    assert system.client.post(undo, json={"subject": "add"}).status_code == 200
    assert system.client.post(undo, json={"subject": "add"}).status_code == 404
    assert verdict(system)["concerns"][0]["acknowledged"] is None
    system.client.post(path, json=call | {"subject": None})
    lease_and_fail(system, 2)
    assert verdict(system)["headline"] == "One problem needs your attention."
    assert verdict(system)["concerns"][0]["acknowledged"] is None


def lease_and_fail(system: Any, jobs: int) -> None:
    for _ in range(jobs):
        system.submit(max_retries=0)
    held = system.lease(jobs)
    error = JobError("ValueError", "no", None)
    system.store.leases.finish([Finished(lease, Ending.FAILED, error=error) for lease in held])
