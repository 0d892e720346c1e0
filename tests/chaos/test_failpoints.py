"""SIGKILL, SIGSTOP and a hold at every named moment: nothing acknowledged is lost, all goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.chaos.clients import Client
from tests.chaos.harness import Orpheus, until
from tests.chaos.histories import ClientLog, Look
from tests.machine import PATIENCE_S, slowness
from tests.variants import variants

WORKER_POINTS = (
    "worker.ready",
    "worker.job.entered",
    "worker.job.left",
    "worker.commit.before",
    "worker.commit.after",
)
API_POINTS = ("api.commit.before", "api.commit.after", "api.acknowledge")
SUPERVISOR_POINTS = (
    "supervisor.spawned",
    "supervisor.process_ended",
    "supervisor.commit.before",
    "supervisor.commit.after",
)


def strike(points: Path, point: str, deed: str) -> Callable[[], bool]:
    """Arm it; gives what tells whether somebody has met it."""
    draft = points.parent / "draft"
    draft.write_text(deed)
    file = points / point
    draft.rename(file)
    return lambda: not file.exists()


@contextmanager
def asked_until_answered(orpheus: Orpheus) -> Iterator[Callable[[], int]]:
    """A client that submits a job with an Idempotency-Key for as long as it takes; its id."""
    log = ClientLog()
    client = Client(orpheus.url, log)

    def submit() -> int:
        [job_id] = client.submit([{"type": "asked", "payload": {}}])
        return job_id

    try:
        yield submit
    finally:
        client.close()


def check_done_once(orpheus: Orpheus, *job_ids: int) -> None:
    """Each is done, once, and asked for once."""
    for job_id in job_ids:
        assert orpheus.until_ended(job_id)["status"] == "done"
        assert orpheus.outcomes(job_id).count("succeeded") == 1
    with Look(orpheus.database) as tables:
        done = "SELECT job_id FROM events WHERE kind = 'job.done' AND job_id >= ? ORDER BY job_id"
        since = min(job_ids)
        assert [row[0] for row in tables.look(done, since)] == sorted(job_ids)
        asked_for = tables.look("SELECT count(*) FROM jobs WHERE id >= ?", since)
        assert asked_for == [(len(job_ids),)]
        assert tables.look("PRAGMA integrity_check") == [("ok",)]


def test_a_worker_killed_at_every_point_loses_no_job(orpheus: Orpheus, points: Path) -> None:
    jobs = []
    for point in WORKER_POINTS:
        met = strike(points, point, "kill")
        jobs.append(orpheus.submit())
        if point == "worker.ready":
            orpheus.client.post("/workers/default-1/restart")
        until(met, f"a worker at {point}")
        jobs.append(orpheus.submit())
        for job_id in jobs:
            orpheus.until_ended(job_id)
        orpheus.until_ready()  # were two to die before they are ready, one would be tried for 15 s
    check_done_once(orpheus, *jobs)


def test_an_api_killed_at_every_point_keeps_what_it_acknowledged(
    orpheus: Orpheus, points: Path
) -> None:
    jobs = []
    with asked_until_answered(orpheus) as submit:
        for point in API_POINTS:
            met = strike(points, point, "kill")
            jobs.append(submit())
            until(met, f"the API at {point}")
            orpheus.until_state("ready", "api")
    check_done_once(orpheus, *jobs)


@pytest.mark.parametrize(
    "point", variants(SUPERVISOR_POINTS, "supervisor.process_ended", "supervisor.commit.before")
)
def test_a_supervisor_killed_at_any_point_leaves_a_clean_next_start(
    orpheus: Orpheus, points: Path, point: str
) -> None:
    job_id = orpheus.submit("exit", failures=1)  # whose worker dies: there is one to bury
    met = strike(points, point, "kill")
    until(met, f"the supervisor at {point}")
    orpheus.process.wait(PATIENCE_S)
    orpheus.start()
    orpheus.until_ready()
    check_done_once(orpheus, job_id)


@pytest.mark.parametrize("deed", variants(["hold", "stop"], "stop"))
@pytest.mark.parametrize("program", ["worker", "api"])
def test_who_holds_the_write_lock_for_too_long_is_ended(
    orpheus: Orpheus, points: Path, program: str, deed: str
) -> None:
    job_id = orpheus.submit("sleep", seconds=0.5 * slowness())  # it meets the point at its end
    orpheus.until_entered(job_id)
    met = strike(points, f"{program}.commit.before", deed)
    with asked_until_answered(orpheus) as submit:
        if program == "api":
            another = submit()
        until(met, f"the {program} in its transaction")
        if program == "worker":
            another = submit()
    check_done_once(orpheus, job_id, another)
    orpheus.until_ready()


@pytest.mark.long  # integration/supervisor/test_child_start.py: such a child ends by itself
def test_a_start_beside_an_api_that_has_only_just_been_spawned(
    orpheus: Orpheus, points: Path
) -> None:
    """It holds the address already, and nobody has heard of it."""
    met = strike(points, "supervisor.spawned", "kill")
    psutil.Process(orpheus.slot("api")["pid"]).kill()
    until(met, "the supervisor to spawn it")
    orpheus.process.wait(PATIENCE_S)
    orpheus.start()
    orpheus.until_ready()


def test_a_start_beside_a_stopped_holder_of_the_write_lock(orpheus: Orpheus, points: Path) -> None:
    """Left by a dead supervisor, it would keep every start from writing."""
    met = strike(points, "worker.commit.before", "stop")
    job_id = orpheus.submit()
    until(met, "a worker in its transaction")
    orpheus.kill_supervisor()
    orpheus.start()
    orpheus.until_ready()
    check_done_once(orpheus, job_id)
