"""Mixed jobs while a worker is killed every second: each ends, in one terminal status."""

import itertools
import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import apsw
import pytest

from tests.variants import variants

KILL_SETTINGS = (
    "pools.default.workers=3",
    "supervisor.crash_loop_failures=1000",
    "supervisor.restart_backoff_max=1s",
    "jobs.backoff_max=1500ms",  # those that fail twice outlast three kills
)
TERMINAL_KINDS = {"job.done", "job.failed", "job.cancelled"}


def mixed_jobs(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """Short, long, failing and hopeless jobs, and some that are all queued at once."""
    makers: list[Callable[[], dict[str, Any]]] = [
        lambda: {"type": "sum_range", "payload": {"n": chance.randrange(10**6)}},
        lambda: {"type": "wordcount", "payload": {"text": "a b c"}},
        lambda: {"type": "sleep", "payload": {"seconds": chance.choice([0.01, 0.1, 0.5])}},
        lambda: {"type": "flaky", "payload": {"failures": 2}},
        lambda: {"type": "flaky", "payload": {"failures": 9, "permanent": True}},
    ]
    return [
        {**chance.choice(makers)(), "priority": chance.randrange(3), "max_retries": 20}
        for _ in range(count)
    ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("count", variants([200, 80], 80))
def test_every_job_ends_once_while_workers_are_killed(
    start_system: Callable[..., Any], count: int
) -> None:
    seed = int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)
    system = start_system(*KILL_SETTINGS)
    system.wait_until_ready()
    answer = system.client.post("/jobs/batch", json={"jobs": mixed_jobs(chance, count)})
    assert answer.status_code == 201, answer.text
    ids = answer.json()["ids"]
    over, kills = threading.Event(), 0
    for second in itertools.count():
        counts = system.get("/stats")["counts"]
        if not (counts["pending"] or counts["in_progress"]):
            break
        assert second < 120, counts
        kills += system.kill_a_worker(chance)
        over.wait(1)
    assert kills >= 3
    jobs = [system.get(f"/jobs/{job_id}") for job_id in ids]
    expected = {"flaky permanent": "failed"}
    for job in jobs:
        permanent = job["payload"].get("permanent")
        assert job["status"] == (expected["flaky permanent"] if permanent else "done"), job
        assert_attempts_do_not_overlap(job["attempts"])
    assert_one_terminal_event_each(system.database, ids)
    assert system.stop(signal.SIGINT) == 0
    assert "Traceback" not in system.log()


def assert_attempts_do_not_overlap(attempts: list[dict[str, Any]]) -> None:
    assert [one["number"] for one in attempts] == list(range(1, len(attempts) + 1))
    for before, following in itertools.pairwise(attempts):
        assert before["finished_at"] <= following["started_at"]


def assert_one_terminal_event_each(database: Any, ids: list[int]) -> None:
    connection = apsw.Connection(str(database))
    query = "SELECT seq, kind, job_id FROM events ORDER BY seq"
    rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    connection.close()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    ended = [row[2] for row in rows if row[1] in TERMINAL_KINDS]
    assert sorted(ended) == sorted(ids)
