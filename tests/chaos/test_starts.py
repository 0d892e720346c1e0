"""Starts that fail, that hang, that meet another, and ends in every state."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.chaos.harness import Orpheus, lives, until
from tests.chaos.histories import processes_of
from tests.machine import PATIENCE_S, slowness, zombies_of

Start = Callable[..., Orpheus]
IGNORE_SIGCHLD = (
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
UNSHARE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")
AT_ONCE = 4


@pytest.mark.long  # test_loop.py ends a light child that is slow; the policy has the new try
def test_an_import_that_hangs_in_one_start_is_ended_and_tried_again(start: Start) -> None:
    orpheus = start({"supervisor.start_timeout": "6s"})
    orpheus.until_ready()
    (orpheus.folder / "hang").touch()
    pid = orpheus.slot()["pid"]
    before = len(orpheus.log())  # a busy machine may have given up a start already
    os.kill(pid, signal.SIGKILL)
    until(lambda: "not ready within 6 s" in orpheus.log()[before:], "the start to be given up")
    assert orpheus.slot("default-2")["state"] == "ready"
    (orpheus.folder / "hang").unlink()
    orpheus.until_state("ready", not_pid=pid)
    assert "not ready within 6 s" in orpheus.slot()["last_exit"]["reason"]
    assert orpheus.stop() == 0


@pytest.mark.long
def test_many_exits_at_once_are_all_seen_twice_though_the_launcher_ignores_sigchld(
    start: Start,
) -> None:
    """The kernel may tell of many by one SIGCHLD. The usual run has 60 in tests/integration, light
    ones, and there one under such a launcher.
    """
    settings = {
        "pools.default.workers": str(AT_ONCE),
        "heartbeats.timeout": "10s",  # so many starts at once starve each other
        "leases.ttl": "15s",
        "supervisor.start_timeout": "60s",
    }
    orpheus = start(settings, launcher=(sys.executable, "-c", IGNORE_SIGCHLD))
    orpheus.until_ready()
    dead: set[int] = set()
    for _ in range(2):
        slots = orpheus.workers()
        pids = {one["pid"] for name, one in slots.items() if one["pool"]}
        assert len(pids) == AT_ONCE
        assert not pids & dead
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        dead |= pids
        _until_buried(orpheus, frozenset(dead))
        orpheus.until_ready()
        exits = [one["last_exit"] for one in orpheus.workers().values() if one["pool"]]
        assert {one["signal"] for one in exits} == {"SIGKILL"}
    assert not zombies_of(orpheus.supervisor.pid)
    assert orpheus.stop() == 0


def _until_buried(orpheus: Orpheus, dead: frozenset[int]) -> None:
    until(lambda: not _workers(orpheus) & dead, "all to be buried")


def _workers(orpheus: Orpheus) -> set[int]:
    return {one["pid"] for one in orpheus.workers().values() if one["pool"]}


@pytest.mark.long  # test_failpoints.py has one that is stopped while it holds the write lock
def test_a_supervisor_restarted_while_stopped_children_of_the_dead_one_live(
    orpheus: Orpheus,
) -> None:
    """They ignore the SIGTERM of their parent's death until they are continued: never."""
    job_id = orpheus.submit("sleep_deaf", seconds=600, failures=1)
    orpheus.until_entered(job_id)
    children = [
        orpheus.freeze(one["pid"])
        for name, one in orpheus.workers().items()
        if name != "supervisor"
    ]
    orpheus.kill_supervisor()
    assert all(lives(one) for one in children)
    orpheus.start()
    orpheus.until_ready()
    assert not any(lives(one) for one in children)
    job = orpheus.until_ended(job_id)
    assert [one["outcome"] for one in job["attempts"]] == ["crashed", "succeeded"]


@pytest.mark.long  # integration/supervisor: test_odd_starts.py, and test_run.py of the port
def test_of_two_started_at_once_one_runs_and_none_does_where_the_port_is_taken(
    start: Start,
) -> None:
    orpheus = start({"pools.default.workers": "1"})
    assert orpheus.stop() == 0
    with socket.create_server(("127.0.0.1", orpheus.port)):
        second = orpheus.spawn()
        assert second.wait(PATIENCE_S) == 69
    assert not processes_of(orpheus.mark)
    orpheus.port = 0
    both = [orpheus.spawn(), orpheus.spawn()]
    until(lambda: any(one.poll() is not None for one in both), "one to give up")
    [loser] = [one for one in both if one.poll() is not None]
    [winner] = [one for one in both if one.poll() is None]
    assert loser.returncode == 75
    assert "already running" in orpheus.log()
    winner.send_signal(signal.SIGTERM)
    assert winner.wait(PATIENCE_S) == 0
    until(lambda: not processes_of(orpheus.mark), "nothing to be left")


# The end, in every state


@pytest.mark.long  # test_day.py ends it in a job, and so does the next as pid 1
@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        ("starting", 0),
        ("ready", 0),
        ("in a job", 0),
        ("draining", 0),
        ("backoff", 0),
        ("fatal", 0),
        ("killing", 4),
    ],
)
def test_term_ends_it_in_every_state(start: Start, state: str, allowed: int) -> None:
    settings = {"pools.default.workers": "1", "supervisor.restart_backoff_max": "30s"}
    if state == "fatal":
        settings["supervisor.crash_loop_failures"] = "1"
    orpheus = start(settings)
    orpheus.until_ready()
    _bring_into(orpheus, state)
    assert orpheus.stop() == allowed


def _bring_into(orpheus: Orpheus, state: str) -> None:
    pid = orpheus.slot()["pid"]
    if state in ("starting", "killing"):
        (orpheus.folder / "hang").touch()
    elif state == "fatal":
        (orpheus.folder / "break").touch()
    if state in ("in a job", "draining"):
        _begin_a_job(orpheus)
        if state == "draining":
            assert orpheus.client.post("/workers/default-1/drain").status_code == 202
            orpheus.until_state("draining")
    elif state == "killing":
        job_id = orpheus.submit("hold_gil", seconds=60, failures=1)
        orpheus.freeze(orpheus.until_entered(job_id).pid)
    elif state == "backoff":
        until(lambda: _waits_though_killed(orpheus), "it to wait for its next start")
    elif state != "ready":
        os.kill(pid, signal.SIGKILL)
        orpheus.until_state(state, not_pid=pid)


def _begin_a_job(orpheus: Orpheus) -> None:
    """Long enough to be seen, and ended by itself within supervisor.stop_timeout."""
    orpheus.until_entered(orpheus.submit("sleep", seconds=min(3, slowness())))


def _waits_though_killed(orpheus: Orpheus) -> bool:
    """Whether it waits; else it is killed, and waits longer the next time."""
    slot = orpheus.slot()
    if slot["pid"]:
        with suppress(ProcessLookupError):
            os.kill(slot["pid"], signal.SIGKILL)
    return bool(slot["state"] == "backoff")


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    return tried.returncode == 0


def test_as_pid_1_of_its_namespace_it_reaps_strangers_and_ends_in_order_in_a_job(
    start: Start,
) -> None:
    if not _can_unshare():
        reason = "needs unshare with user namespaces"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    orpheus = start(launcher=UNSHARE)
    orpheus.until_ready()
    assert orpheus.slot("supervisor")["pid"] == 1
    slot = orpheus.until_ended(orpheus.submit("leave_children", failures=1))["worker"]
    before = orpheus.slot(slot)["pid"]
    _by_inner_pid(orpheus, before).kill()  # its end is when the orphans are ended
    orpheus.until_state("ready", slot, not_pid=before)
    supervisor = orpheus.supervisor

    def orphans_are_gone() -> bool:
        children = supervisor.children()
        return len(children) == 3 and all(one.status() != psutil.STATUS_ZOMBIE for one in children)

    until(orphans_are_gone, "every stranger to be ended and reaped")
    _begin_a_job(orpheus)
    assert orpheus.stop() == 0


def _by_inner_pid(orpheus: Orpheus, inner_pid: int) -> psutil.Process:
    """The child of the supervisor whose pid in the namespace it is: the last of NSpid."""

    def inner_pid_of(one: psutil.Process) -> int:
        status = Path(f"/proc/{one.pid}/status").read_text()
        return int(status.partition("NSpid:")[2].split("\n")[0].split()[-1])

    return next(one for one in orpheus.supervisor.children() if inner_pid_of(one) == inner_pid)


# The API


@pytest.mark.long  # two clients, five kills: integration/supervisor/test_run.py has one of each
def test_an_api_killed_under_constant_requests_refuses_none(orpheus: Orpheus) -> None:
    refused: list[str] = []
    answered = 0
    over = threading.Event()

    def ask() -> None:
        nonlocal answered
        while not over.is_set():
            try:
                with httpx2.Client(trust_env=False, timeout=40) as client:
                    client.get(f"{orpheus.url}/healthz")
                answered += 1
            except httpx2.ConnectError as error:
                refused.append(repr(error))
            except httpx2.TransportError:  # cut off in the middle: that one was the dead API's
                pass

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for one in asking:
        one.start()
    try:
        for _ in range(5):
            pid = orpheus.until_state("ready", "api")["pid"]
            os.kill(pid, signal.SIGKILL)
            orpheus.until_state("ready", "api", not_pid=pid)
            _until_more(lambda: answered)
    finally:
        over.set()
        for one in asking:
            one.join()
    assert not refused


def _until_more(count: Callable[[], int]) -> None:
    before = count()
    until(lambda: count() > before + 10, "answers again")
