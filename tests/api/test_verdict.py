"""The verdict of `GET /stats`, and the one that `orpheus status` shows: they are the same."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

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


def concerns(api: Any) -> list[tuple[str, str]]:
    return [(one["code"], one["text"]) for one in verdict(api)["concerns"]]


def test_a_system_that_is_well_says_so(system: Any) -> None:
    assert verdict(system) == {"headline": "Ready for the first job.", "concerns": []}
    system.submit()
    assert verdict(system) == {"headline": "All is well.", "concerns": []}


def test_a_paused_queue_with_work_waiting_says_who_paused_it_and_why(system: Any) -> None:
    system.client.post("/queues/mail/pause", json={"reason": "a release"})
    system.submit(queue="mail", delay="2h")
    assert verdict(system)["concerns"] == [], "it waits for its time, whoever paused its queue"
    system.submit(queue="mail")
    assert verdict(system)["concerns"] == [
        {
            "code": "queue_paused",
            "text": "Queue mail is paused by api:127.0.0.1: a release, and 1 job waits in it.",
            "command": "orpheus resume mail",
            "about": {"kind": "queue", "name": "mail"},
        }
    ]


def test_a_supervisor_is_shown_as_silent_while_what_it_has_started_sends_heartbeats(
    api: Any,
) -> None:
    silent_since_ms = api.store.clock.monotonic_ms() - 20_000
    api.process("supervisor", Role.SUPERVISOR, last_beat_mono_ms=silent_since_ms)
    api.process("default-1")
    states = {"supervisor": SlotState.READY, "default-1": SlotState.READY, "web-1": SlotState.FATAL}
    roles = {"supervisor": Role.SUPERVISOR, "web-1": Role.PROGRAM}
    api.store.processes.put_slots(
        [api.slot(name, state, roles.get(name, Role.WORKER)) for name, state in states.items()]
    )
    shown = {one["slot"]: one for one in api.client.get("/workers").json()["items"]}
    assert shown.keys() == states.keys()
    assert shown["supervisor"]["heartbeat_age_s"] >= 20
    told = [one["text"] for one in api.client.get("/stats").json()["verdict"]["concerns"]]
    assert any(one.startswith("The supervisor has sent no heartbeat for 2") for one in told)
    assert any(one.startswith("web-1 failed (fatal)") for one in told)
    watched = api.client.get("/readyz").json()["checks"]["supervisor"]
    assert watched == {"status": "degraded", "detail": "0 of 1 ready: supervisor is silent"}


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
    assert concern["text"].startswith(f"No write can begin: process {holder.pid} (python")
    ages = {one["slot"]: one["heartbeat_age_s"] for one in workers}
    assert ages == {"default-1": None, "supervisor": None}
    (exposed_age,) = re.findall(r'orpheus_heartbeat_age_seconds\{slot="default-1"\} (.*)', exposed)
    assert float(exposed_age) >= 45, "that is what it is for"


def test_while_orpheus_is_stopping_nothing_is_asked_of_it(system: Any) -> None:
    stopping = system.slot("supervisor", SlotState.STOPPING, Role.SUPERVISOR, reason="SIGINT")
    system.store.processes.put_slots([stopping])
    for path, body in (
        ("/workers/default-1/restart", None),
        ("/workers/default-1/drain", None),
        ("/pools/default/scale", {"workers": 2}),
    ):
        answer = system.client.post(path, json=body)
        assert answer.status_code == 503, path
        assert "Orpheus is stopping (SIGINT)" in answer.text
