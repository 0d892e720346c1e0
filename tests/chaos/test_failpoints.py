"""SIGKILL, SIGSTOP and a hold at every named moment: nothing acknowledged is lost, all goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.clients import Client
from tests.chaos.harness import Orpheus, until
from tests.chaos.histories import ClientLog, Look

Start = Callable[..., Orpheus]
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
    "supervisor.buried",
    "supervisor.commit.before",
    "supervisor.commit.after",
)


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """The folder where points are armed."""
    made = tmp_path / "points"
    made.mkdir()
    return made


@pytest.fixture
def armed(start: Start, points: Path) -> Orpheus:
    """Ready, with every failpoint to be met."""
    environment = {"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(points)}
    orpheus = start(environment=environment)
    orpheus.until_ready()
    return orpheus


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
        rows = tables.look("SELECT job_id FROM events WHERE kind = 'job.done' ORDER BY job_id")
        assert [row[0] for row in rows] == sorted(job_ids)
        assert tables.look("SELECT count(*) FROM jobs") == [(len(job_ids),)]
        assert tables.look("PRAGMA integrity_check") == [("ok",)]


def test_a_worker_killed_at_every_point_loses_no_job(armed: Orpheus, points: Path) -> None:
    jobs = []
    for point in WORKER_POINTS:
        met = strike(points, point, "kill")
        jobs.append(armed.submit())
        if point == "worker.ready":
            armed.client.post("/workers/default-1/restart")
        until(met, f"a worker at {point}")
        jobs.append(armed.submit())
        for job_id in jobs:
            armed.until_ended(job_id)
        armed.until_ready()  # were two to die before they are ready, one would be tried for 15 s
    check_done_once(armed, *jobs)
    assert armed.stop() == 0


def test_an_api_killed_at_every_point_keeps_what_it_acknowledged(
    armed: Orpheus, points: Path
) -> None:
    jobs = []
    with asked_until_answered(armed) as submit:
        for point in API_POINTS:
            met = strike(points, point, "kill")
            jobs.append(submit())
            until(met, f"the API at {point}")
            armed.until_state("ready", "api")
    check_done_once(armed, *jobs)
    assert armed.stop() == 0


@pytest.mark.parametrize("point", SUPERVISOR_POINTS)
def test_a_supervisor_killed_at_any_point_leaves_a_clean_next_start(
    armed: Orpheus, points: Path, point: str
) -> None:
    job_id = armed.submit("exit", failures=1)  # whose worker dies: there is one to bury
    met = strike(points, point, "kill")
    until(met, f"the supervisor at {point}")
    armed.process.wait(10)
    armed.start()
    armed.until_ready()
    check_done_once(armed, job_id)
    assert armed.stop() == 0


@pytest.mark.parametrize("deed", ["hold", "stop"])
@pytest.mark.parametrize("program", ["worker", "api"])
def test_who_holds_the_write_lock_for_too_long_is_ended(
    armed: Orpheus, points: Path, program: str, deed: str
) -> None:
    job_id = armed.submit("sleep", seconds=0.5)
    armed.until_entered(job_id)
    met = strike(points, f"{program}.commit.before", deed)
    with asked_until_answered(armed) as submit:
        if program == "api":
            another = submit()
        until(met, f"the {program} in its transaction")
        if program == "worker":
            another = submit()
    check_done_once(armed, job_id, another)
    armed.until_ready()
    assert armed.stop() == 0
