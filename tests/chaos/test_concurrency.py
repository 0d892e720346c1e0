"""Workers that run four jobs at once, and die: the guilty job is found, the others go on."""

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice, pairwise
from typing import Any

import psutil
import pytest

from tests.chaos.checked import WatchedRun
from tests.chaos.clients import Client
from tests.chaos.harness import Orpheus, show, until
from tests.chaos.histories import Look, Run, read_effects
from tests.machine import slowness
from tests.variants import variants

PLACES = 4
KILLED_JOBS = int(os.environ.get("KILLED_JOBS", "60"))
WORKERS = 2 if KILLED_JOBS < 100 else 3
KILL_EVERY_S = 1.0
DRAIN_BOUND_S = 120.0
SEED = int(os.environ.get("CHAOS_SEED", "1"))
SECRET = "hush-2b7e1516"
BESIDE = {"pools.default.workers": "1", "pools.default.concurrency": str(PLACES)}


@pytest.fixture(scope="module")
def shared_beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orpheus]:
    """With one worker of four places."""
    one = Orpheus(tmp_path_factory.mktemp("orpheus"), BESIDE)
    yield one
    try:
        assert one.stop() == 0
    finally:
        one.end()


@pytest.fixture
def orpheus(shared_beside: Orpheus) -> Orpheus:
    """Ready, and idle."""
    shared_beside.until_ready()
    return shared_beside


def runs_of(orpheus: Orpheus, *ids: int) -> list[Run]:
    """What the effect log tells of these jobs."""
    return [run for run in read_effects(orpheus.folder / "effects") if run.job_id in ids]


def test_what_ran_when_a_worker_was_killed_runs_again_alone_and_spends_no_retry(
    orpheus: Orpheus,
) -> None:
    seconds = max(1, slowness() / 2)  # none is to end before the kill
    ids = [orpheus.submit("sleep", seconds=seconds, max_retries=1) for _ in range(PLACES)]
    until(lambda: len(runs_of(orpheus, *ids)) == PLACES, "all of them to run")
    psutil.Process(orpheus.slot()["pid"]).kill()
    jobs = [orpheus.until_ended(one) for one in ids]
    for job in jobs:
        assert job["status"] == "done"
        assert [one["outcome"] for one in job["attempts"]] == ["crashed", "succeeded"]
        assert "this job and others" in job["attempts"][0]["error"]["message"]
    again = sorted((one for one in runs_of(orpheus, *ids) if one.attempt == 2), key=_begin)
    for earlier, later in pairwise(again):
        assert earlier.end_ns is not None
        assert earlier.end_ns <= later.begin_ns, "one after the other"


def _begin(run: Run) -> int:
    return run.begin_ns


def test_a_poison_job_fails_at_its_limit_and_those_beside_it_are_done(orpheus: Orpheus) -> None:
    innocent = [
        orpheus.submit("sleep_deaf", seconds=600, failures=1, max_retries=1)
        for _ in range(PLACES - 1)
    ]
    until(lambda: len(runs_of(orpheus, *innocent)) == PLACES - 1, "them to run")
    poison = orpheus.submit("segfault", failures=99, max_retries=2)
    until(lambda: orpheus.outcomes(poison)[:1] == ["crashed"], "its first crash, beside them")
    later = [orpheus.submit("sleep", seconds=0.2, max_retries=0) for _ in range(8)]
    assert orpheus.until_ended(poison)["status"] == "failed"
    assert orpheus.outcomes(poison) == ["crashed"] * 4, "the first one among others is free"
    for job_id in innocent:
        job = orpheus.until_ended(job_id)
        assert job["status"] == "done", job["attempts"]
        assert orpheus.outcomes(job_id) == ["crashed", "succeeded"]
    for job_id in later:
        job = orpheus.until_ended(job_id)
        assert job["status"] == "done", job["attempts"]
        assert orpheus.outcomes(job_id) == ["succeeded"], "it never ran beside the poison job"
    alone = [run for run in runs_of(orpheus, poison) if run.attempt > 1]
    others = [run for run in runs_of(orpheus, *innocent, *later) if run.end_ns is not None]
    assert len(alone) == 3
    for run in alone:
        assert not [one for one in others if one.begin_ns < run.begin_ns < (one.end_ns or 0)]


@pytest.mark.long  # integration/worker/test_concurrency.py and the policy have the same
def test_a_job_past_its_hard_deadline_is_known_and_the_others_are_released(
    orpheus: Orpheus,
) -> None:
    seconds = max(4, 2 * slowness())  # none is to end before the worker
    ids = [orpheus.submit("sleep", seconds=seconds, max_retries=0) for _ in range(PLACES - 1)]
    deaf = orpheus.submit("sleep_deaf", seconds=600, failures=1)
    until(lambda: len(runs_of(orpheus, *ids, deaf)) == PLACES, "all of them to run")
    pid = orpheus.slot()["pid"]
    assert orpheus.client.post(f"/jobs/{deaf}/cancel").status_code == 202
    until(lambda: not psutil.pid_exists(pid), "the worker to be ended")
    assert orpheus.until_ended(deaf)["status"] == "cancelled"
    assert orpheus.outcomes(deaf) == ["cancelled"]
    for job_id in ids:
        assert orpheus.until_ended(job_id)["status"] == "done"
        assert orpheus.outcomes(job_id) == ["released", "succeeded"]
    again = sorted((one for one in runs_of(orpheus, *ids) if one.attempt == 2), key=_begin)
    assert again[-1].begin_ns < (again[0].end_ns or 0), "beside each other, as before"


@pytest.mark.timeout(DRAIN_BOUND_S + 300)
@pytest.mark.parametrize(
    "kinds", variants(["asked_async asked", "asked_async", "asked"], "asked_async asked")
)
def test_jobs_whose_workers_are_killed_every_second_are_done_once(
    start: Callable[..., Orpheus], kinds: str
) -> None:
    """Coroutines, jobs in threads, and both beside each other.

    Nothing is quarantined: on a busy machine all workers of a type may be killed in a row.
    """
    chance = random.Random(SEED)
    orpheus = start(
        {
            "pools.default.workers": str(WORKERS),
            "pools.default.concurrency": str(PLACES),
            "jobs.quarantine_after": "0",
        }
    )
    watched = WatchedRun(orpheus)
    batch = [_short_job(kind, chance) for kind in islice(cycle(kinds.split()), KILLED_JOBS)]
    began_s = time.monotonic()
    client = Client(orpheus.url, watched.log)
    ids = client.submit(batch)
    client.close()
    kills = _kill_a_worker_every_second(orpheus, chance)
    watched.check_once_healed(DRAIN_BOUND_S, SECRET)
    with Look(orpheus.database) as tables:
        rows = tables.look(
            "SELECT status, count(*) FILTER (WHERE outcome = 'succeeded'), count(*), "
            "count(*) FILTER (WHERE outcome = 'crashed'), type "
            "FROM jobs JOIN attempts ON job_id = jobs.id GROUP BY jobs.id"
        )
    assert [row[:2] for row in rows] == [("done", 1)] * len(ids)
    attempts, crashed = (sum(row[column] for row in rows) for column in (2, 3))
    kinds_crashed = {row[4] for row in rows if row[3]}
    took_s = time.monotonic() - began_s
    show(
        f"{kinds}: {len(ids)} jobs done once each in {took_s:.0f} s: {kills} kills, "
        f"{attempts} attempts, of which {crashed} crashed"
    )
    assert kills >= 2 and kinds_crashed == set(kinds.split())
    assert orpheus.stop() == 0


def _short_job(kind: str, chance: random.Random) -> dict[str, Any]:
    does = {"does": "sleep"} if kind == "asked" else {}
    return {
        "type": kind,
        "payload": {**does, "seconds": chance.choice((0.2, 0.4, 0.6)), "secret": SECRET},
        "max_retries": 50,
    }


def _kill_a_worker_every_second(orpheus: Orpheus, chance: random.Random) -> int:
    """Kill one that is ready, until all jobs have ended; return how many were killed."""
    kills, slot, pid = 0, "", 0
    while any(orpheus.get("/stats")["counts"][status] for status in ("pending", "in_progress")):
        threading.Event().wait(KILL_EVERY_S)
        slots = orpheus.workers().values()
        ready = [one for one in slots if one["pool"] and one["state"] == "ready"]
        if ready:
            chosen = chance.choice(ready)
            slot, pid = chosen["slot"], chosen["pid"]
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
                kills += 1
    orpheus.until_state("ready", slot, not_pid=pid)
    return kills
