"""Handlers that do what no handler should: the pool goes on, and the job ends as it must."""

from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from tests.chaos.harness import Orpheus, until
from tests.chaos.histories import processes_of

Start = Callable[..., Orpheus]


@pytest.mark.parametrize(
    ("does", "evidence"),
    [("segfault", "Segmentation fault"), ("exit", "exit code 7")],
)
def test_a_worker_that_its_job_kills_is_replaced_and_the_job_runs_again(
    orpheus: Orpheus, does: str, evidence: str
) -> None:
    job = orpheus.until_ended(orpheus.submit(does, failures=1))
    assert job["status"] == "done"
    assert [one["outcome"] for one in job["attempts"]] == ["crashed", "succeeded"]
    assert evidence in job["attempts"][0]["error"]["message"]
    orpheus.until_ready()


def test_a_poison_job_fails_at_its_limit_and_the_pool_goes_on(orpheus: Orpheus) -> None:
    poison = orpheus.submit("segfault", failures=99, max_retries=2)
    others = [orpheus.submit() for _ in range(20)]
    assert orpheus.until_ended(poison)["status"] == "failed"
    assert orpheus.outcomes(poison) == ["crashed"] * 3
    for job_id in others:
        assert orpheus.until_ended(job_id)["status"] == "done"
        assert "crashed" not in orpheus.outcomes(job_id)


def test_a_call_that_holds_the_gil_past_the_beat_timeout_is_ended(orpheus: Orpheus) -> None:
    job_id = orpheus.submit("hold_gil", seconds=60, failures=1)
    pid = orpheus.until_entered(job_id).pid
    until(lambda: not psutil.pid_exists(pid), "the worker to be ended")
    job = orpheus.until_ended(job_id)
    assert [one["outcome"] for one in job["attempts"]] == ["crashed", "succeeded"]
    assert "no heartbeat" in job["attempts"][0]["error"]["message"]
    assert "_hold_gil" in job["attempts"][0]["error"]["message"], "where it stood"


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


def _sleepers(orpheus: Orpheus) -> list[psutil.Process]:
    return [one for one in processes_of(orpheus.mark) if one.name() == "sleep"]
