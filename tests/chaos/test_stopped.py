"""Processes stopped (SIGSTOP) for longer than every timeout: idle, in a job, the supervisor."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.chaos.harness import BEAT_TIMEOUT_S, LEASE_TTL_S, Orpheus, lives, until
from tests.chaos.histories import processes_of
from tests.machine import PATIENCE_S
from tests.variants import variants

LONG_S = 60.0 if os.environ.get("CHAOS_LONG") else LEASE_TTL_S + 1
"""How long a supervisor stands still: past the beat timeout and the leases."""


@pytest.fixture
def orpheus(orpheus: Orpheus) -> Orpheus:
    """With fresh processes: one is continued once in its life."""
    before = {name: one["pid"] for name, one in orpheus.workers().items() if name != "supervisor"}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    for name, pid in before.items():
        orpheus.until_state("ready", name, not_pid=pid)
    return orpheus


@contextlib.contextmanager
def kept_stopped(*processes: psutil.Process) -> Iterator[None]:
    """Whenever somebody continues one of them, it is stopped again."""
    over = threading.Event()

    def stop() -> None:
        while not over.wait(0.01):
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                        process.suspend()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.long  # one in a job is below; test_loop.py and the policy have both of an idle one
def test_idle_processes_that_are_kept_stopped_are_replaced_and_those_that_go_on_live(
    orpheus: Orpheus,
) -> None:
    stopped = {slot: orpheus.freeze(orpheus.slot(slot)["pid"]) for slot in ("default-1", "api")}
    with kept_stopped(*stopped.values()):
        until(
            lambda: not any(lives(one) for one in stopped.values()),
            "them to be ended",
        )
    for slot, process in stopped.items():
        orpheus.until_state("ready", slot, not_pid=process.pid)
    are_continued_and_live(orpheus)


def are_continued_and_live(orpheus: Orpheus) -> None:
    """Idle processes that are stopped for the first time in their lives."""
    before = {slot: orpheus.slot(slot)["pid"] for slot in ("default-1", "api")}
    stopped = [orpheus.freeze(pid) for pid in before.values()]
    until(
        lambda: not any(one.status() == psutil.STATUS_STOPPED for one in stopped),
        "them to be continued",
    )
    assert {slot: orpheus.until_state("ready", slot)["pid"] for slot in before} == before


@pytest.mark.parametrize("seed", variants(range(2), 0))
def test_nothing_is_lost_if_all_of_it_stands_still_past_the_leases(
    orpheus: Orpheus, seed: int
) -> None:
    """As in a paused container: each process goes on at its own moment, in any order."""
    ends_meanwhile = orpheus.submit("sleep", seconds=2, max_retries=0)
    goes_on = orpheus.submit("sleep", seconds=LEASE_TTL_S + 5, max_retries=0)
    waiting = [orpheus.submit("sleep", seconds=0.2, max_retries=0) for _ in range(5)]
    pids = {orpheus.until_entered(job_id).pid for job_id in (ends_meanwhile, goes_on)}
    processes = processes_of(orpheus.mark)
    for process in processes:
        process.suspend()
    over_s = time.monotonic() + LEASE_TTL_S + 1
    until(lambda: time.monotonic() > over_s, "every lease to expire")
    random.Random(seed).shuffle(processes)
    for process in processes:
        process.resume()
    for job_id in (ends_meanwhile, goes_on, *waiting):
        assert orpheus.until_ended(job_id)["status"] == "done"
        assert orpheus.outcomes(job_id) == ["succeeded"]
    assert pids <= {one["pid"] for one in orpheus.workers().values()}, "nobody was replaced"


def test_a_worker_kept_stopped_in_a_job_loses_it_to_another_and_one_that_is_continued_goes_on(
    orpheus: Orpheus,
) -> None:
    job_id = orpheus.submit("spin", failures=1)
    process = orpheus.freeze(orpheus.until_entered(job_id).pid)
    with kept_stopped(process):
        job = orpheus.until_ended(job_id)
    first, second = (attempt["outcome"] for attempt in job["attempts"])
    assert first in ("crashed", "lost"), (
        "lost: told to stop, its code returned before it was stopped again"
    )
    assert second == "succeeded"
    assert job["attempts"][1]["pid"] != process.pid
    assert not lives(process), "ended before its job was given to another"
    orpheus.until_ready()
    job_id = orpheus.submit("sleep", seconds=BEAT_TIMEOUT_S + 2)
    pid = orpheus.until_entered(job_id).pid
    orpheus.freeze(pid)
    job = orpheus.until_ended(job_id)
    assert [one["outcome"] for one in job["attempts"]] == ["succeeded"]
    assert job["attempts"][0]["pid"] == pid


@pytest.mark.long  # integration/supervisor/test_recovery.py has it with light children, and
# test_recovery.py here a job that is done meanwhile
@pytest.mark.timeout(300)
def test_a_supervisor_stopped_for_longer_than_every_timeout_blames_nobody(
    orpheus: Orpheus,
) -> None:
    before = {name: one["pid"] for name, one in orpheus.workers().items()}
    log_at = len(orpheus.log())
    supervisor = orpheus.freeze(orpheus.process.pid)
    end_s = time.monotonic() + LONG_S
    for job_id in [orpheus.submit() for _ in range(20)]:  # it is not needed for jobs
        assert orpheus.until_ended(job_id)["status"] == "done"
    killed_in = orpheus.submit("sleep", seconds=0.5)
    victim = orpheus.until_entered(killed_in).pid
    os.kill(victim, signal.SIGKILL)
    until(lambda: time.monotonic() > end_s, "every timeout to pass", LONG_S + PATIENCE_S)
    supervisor.resume()
    until(lambda: "supervisor_stalled" in orpheus.log()[log_at:], "the stall to be noticed")
    judged_s = time.monotonic() + BEAT_TIMEOUT_S + 1
    until(lambda: time.monotonic() > judged_s, "a beat timeout to pass since")
    after = {name: one["pid"] for name, one in orpheus.workers().items()}
    assert {name for name in after if after[name] != before[name]} == {
        name for name in before if before[name] == victim
    }
    assert orpheus.until_ended(killed_in)["status"] == "done"
    orpheus.until_ready()
