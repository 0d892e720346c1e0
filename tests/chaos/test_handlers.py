"""Handlers that do what no handler should: the pool goes on, and the job ends as it must."""

import os
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from tests.chaos.harness import Orpheus, until
from tests.chaos.histories import processes_of
from tests.variants import variants

Start = Callable[..., Orpheus]


@pytest.mark.parametrize(
    ("does", "evidence"),
    variants(
        [("segfault", "killed by SIGSEGV"), ("exit", "exit code 7")],
        ("segfault", "killed by SIGSEGV"),
    ),
)
def test_a_worker_that_its_job_kills_is_replaced_and_the_job_runs_again(
    orpheus: Orpheus, does: str, evidence: str
) -> None:
    job = orpheus.until_ended(orpheus.submit(does, failures=1))
    assert job["status"] == "done"
    assert [one["outcome"] for one in job["attempts"]] == ["crashed", "succeeded"]
    error = job["attempts"][0]["error"]
    assert error["message"] == f"the worker process died while it ran this job: {evidence}"
    if does == "segfault":
        fatal, _, stack, *_ = error["traceback"].splitlines()[:4]
        assert fatal == "Fatal Python error: Segmentation fault"
        assert stack.startswith("Current thread"), "the one that ran the job"
    orpheus.until_ready()


@pytest.mark.long  # test_concurrency.py has it beside other jobs
def test_a_poison_job_fails_at_its_limit_and_the_pool_goes_on(orpheus: Orpheus) -> None:
    poison = orpheus.submit("segfault", failures=99, max_retries=2)
    others = [orpheus.submit() for _ in range(20)]
    assert orpheus.until_ended(poison)["status"] == "failed"
    assert orpheus.outcomes(poison) == ["crashed"] * 3
    for job_id in others:
        assert orpheus.until_ended(job_id)["status"] == "done"
        assert "crashed" not in orpheus.outcomes(job_id)


@pytest.mark.long  # policy/test_aftermath.py: deaths in jobs never make a slot fatal
def test_three_poison_jobs_stop_no_pool(start: Start) -> None:
    defaults = {
        "jobs.backoff_base": "1s",
        "jobs.backoff_max": "10m",
        "supervisor.restart_backoff_max": "4s",  # not 30 s: each slot sees three deaths
        "supervisor.crash_loop_failures": "3",  # as many as one of two slots sees at least
        "jobs.quarantine_after": "0",  # else the type is held back before its jobs have failed
    }
    orpheus = start(defaults)
    orpheus.until_ready()
    poison = [orpheus.submit("segfault", failures=99, max_retries=1) for _ in range(3)]
    for job_id in poison:
        assert orpheus.until_ended(job_id)["status"] == "failed"
        assert orpheus.outcomes(job_id) == ["crashed"] * 2
    assert orpheus.until_ended(orpheus.submit())["status"] == "done"
    orpheus.until_ready()
    assert orpheus.client.get("/readyz").status_code == 200
    assert "worker_fatal" not in orpheus.log()


@pytest.mark.long  # test_recovery.py has such a worker, test_loop.py the stack that it leaves
def test_a_call_that_holds_the_gil_past_the_beat_timeout_is_ended(orpheus: Orpheus) -> None:
    job_id = orpheus.submit("hold_gil", seconds=60, failures=1)
    pid = orpheus.until_entered(job_id).pid
    until(lambda: not psutil.pid_exists(pid), "the worker to be ended")
    job = orpheus.until_ended(job_id)
    assert [one["outcome"] for one in job["attempts"]] == ["crashed", "succeeded"]
    message = job["attempts"][0]["error"]["message"]
    # A beat may still be on its way when the call begins.
    assert "no heartbeat" in message or "main loop stuck" in message
    assert "_hold_gil" in job["attempts"][0]["error"]["traceback"], "where it stood"


@pytest.mark.parametrize("does", variants(["limit_files", "change_root"], "limit_files"))
def test_a_worker_that_alone_cannot_write_any_more_is_replaced(orpheus: Orpheus, does: str) -> None:
    if does == "change_root" and os.geteuid() != 0:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("only root can change it")
    job_id = orpheus.submit(does, failures=1)
    pid = orpheus.until_entered(job_id).pid
    until(lambda: not psutil.pid_exists(pid), "the worker to be ended")
    assert orpheus.until_ended(job_id)["status"] == "done"
    orpheus.until_ready()
    exits = [one["last_exit"] for one in orpheus.workers().values() if one["last_exit"]]
    assert any("alone cannot write to the database" in one["reason"] for one in exits)


@pytest.mark.long  # test_run.py has a job that outlasts the stop, test_programs.py what one leaves
def test_a_handler_that_ignores_term_is_killed_with_all_that_it_left(orpheus: Orpheus) -> None:
    job_id = orpheus.submit("ignore_term", seconds=600, failures=1)
    orpheus.until_entered(job_id)
    until(lambda: len(_sleepers(orpheus)) == 2, "the children it leaves")
    assert orpheus.stop() == 4  # which also sees that nothing is left
    orpheus.start()
    assert orpheus.until_ended(job_id)["status"] == "done"


def test_children_that_a_job_left_end_with_its_worker(orpheus: Orpheus) -> None:
    job_id = orpheus.submit("leave_children", failures=1)
    [attempt] = orpheus.until_ended(job_id)["attempts"]
    assert attempt["outcome"] == "succeeded"
    with suppress(psutil.NoSuchProcess):
        psutil.Process(attempt["pid"]).kill()
    until(lambda: not _sleepers(orpheus), "its children to be gone")
    orpheus.until_ready()


@pytest.mark.long  # integration/worker: test_alone.py and test_supervised.py
def test_a_handler_that_spins_past_its_timeout_is_interrupted(orpheus: Orpheus) -> None:
    job = orpheus.until_ended(orpheus.submit("spin", failures=1, timeout="500ms"))
    assert [one["outcome"] for one in job["attempts"]] == ["timed_out", "succeeded"]


def test_a_handler_that_exhausts_its_memory_fails_alone(orpheus: Orpheus) -> None:
    job = orpheus.until_ended(orpheus.submit("exhaust_memory", failures=1))
    assert [one["outcome"] for one in job["attempts"]] == ["failed", "succeeded"]
    assert job["attempts"][0]["error"]["type"] == "MemoryError"


def test_a_handler_that_closes_every_descriptor_costs_its_worker_and_no_job(
    orpheus: Orpheus,
) -> None:
    job_id = orpheus.submit("close_fds", seconds=600, failures=1)
    others = [orpheus.submit() for _ in range(20)]
    pid = orpheus.until_entered(job_id).pid
    for one in [*others, job_id]:
        assert orpheus.until_ended(one)["status"] == "done"
    until(lambda: not psutil.pid_exists(pid), "the worker to be ended")
    orpheus.until_ready()


@pytest.mark.long  # tests/contract/test_leases_of_the_dead.py has the rule
def test_a_job_that_spoils_its_own_commit_ends_at_its_limit(orpheus: Orpheus) -> None:
    spoiled = orpheus.submit("close_fds", failures=99, max_retries=1)
    once = orpheus.submit("close_fds", failures=99, max_retries=0)
    assert orpheus.until_ended(spoiled)["status"] == "failed"
    outcomes = orpheus.outcomes(spoiled)  # it may also die before its code has returned
    assert set(outcomes) <= {"lost", "crashed"}
    assert len(outcomes) <= 4, "one more for each retry: the first loss in a row is free"
    assert orpheus.until_ended(once)["status"] == "failed"
    assert len(orpheus.outcomes(once)) == 1, "what has run is not run again"
    orpheus.until_ready()


def _sleepers(orpheus: Orpheus) -> list[psutil.Process]:
    found = []
    for process in processes_of(orpheus.mark):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if process.name() == "sleep":
                found.append(process)
    return found
