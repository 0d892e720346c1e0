"""Jobs end while an application's open transaction holds the unique key of their child."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orpheus import Client
from orpheus.shared.errors import ExitCode
from tests.machine import wait_until
from tests.variants import variants

JOBS = Path(__file__).parent / "worker" / "jobs"
KEY = "daily"
BEAT_TIMEOUT_S = 2.5
TIMINGS = (
    'jobs.modules=["orpheus.worker.handlers", "keyed_jobs"]',
    "heartbeats.interval=500ms",
    f"heartbeats.timeout={BEAT_TIMEOUT_S}s",
    "leases.ttl=7s",
    "leases.renew_every=1s",
    "supervisor.stop_timeout=2s",
    "pools.default.workers=1",
)

StartSystem = Callable[..., Any]


@pytest.fixture
def start(start_system: StartSystem, postgresql_url: str, tmp_path: Path) -> StartSystem:
    """Starts Orpheus with short timings."""
    database = (f"database.url={postgresql_url}", f"database.state_dir={tmp_path}/state")
    return lambda *settings: start_system(*database, *TIMINGS, *settings, cwd=JOBS)


@pytest.fixture
def application(postgresql_url: str) -> Iterator[psycopg.Connection]:
    """The connection of an application."""
    with psycopg.connect(postgresql_url) as connection:
        yield connection


def hold_key(application: psycopg.Connection) -> int:
    """Submit a job with the key, in a transaction that stays open; its id."""
    client = Client(connection=application)
    return client.submit("report", unique_key=KEY, delay="1h").id


def runs_in(effects: Path) -> list[str]:
    """The ids of the jobs whose code has run."""
    return effects.read_text().split() if effects.exists() else []


def submit_parent(system: Any, effects: Path) -> int:
    """Submit a job whose child has the key; its id, once its result waits."""
    payload = {"effects": str(effects), "key": KEY}
    job_id = int(system.submit("closes_the_day", payload, max_retries=0))

    def waits() -> bool:
        lines = system.get(f"/jobs/{job_id}/logs")["items"]
        return any("result cannot be stored yet" in one["line"] for one in lines)

    wait_until(waits, "the result to wait")
    return job_id


def outcomes_of(system: Any, job_id: int) -> list[str]:
    """Those of its attempts, once it is done."""
    job = system.wait_for_job(job_id)
    assert (job["status"], job["error"]) == ("done", None)
    return [one["outcome"] for one in job["attempts"]]


def pid_of_worker(system: Any) -> int:
    """That of the only one."""
    return int(system.workers()["default-1"]["pid"])


@pytest.mark.parametrize(
    ("concurrency", "commits"),
    variants([(1, True), (1, False), (4, True), (4, False)], (1, True), (4, False)),
)
def test_a_job_runs_once_while_the_key_of_its_child_is_held(
    start: StartSystem,
    application: psycopg.Connection,
    tmp_path: Path,
    *,
    concurrency: int,
    commits: bool,
) -> None:
    effects = tmp_path / "effects"
    system = start(f"pools.default.concurrency={concurrency}")
    system.wait_until_ready()
    worker = pid_of_worker(system)
    own = hold_key(application)
    parent = submit_parent(system, effects)
    innocents, began_s = [], time.monotonic()
    while time.monotonic() < began_s + 3 * BEAT_TIMEOUT_S:
        innocents.append(system.submit("sleep", {"seconds": 0.2}, max_retries=0))
        assert system.wait_for_job(innocents[-1])["status"] == "done"
    assert system.get(f"/jobs/{parent}")["status"] == "in_progress"
    (application.commit if commits else application.rollback)()

    assert outcomes_of(system, parent) == ["succeeded"]
    assert runs_in(effects) == [str(parent)]
    (child,) = system.get("/jobs?type=report")["items"]
    assert (child["id"] == own) is commits, "the live job with its key is not made again"
    assert {tuple(outcomes_of(system, one)) for one in innocents} == {("succeeded",)}
    assert pid_of_worker(system) == worker


@pytest.mark.parametrize("concurrency", variants([1, 4], 4))
def test_what_waits_for_a_key_is_released_at_a_stop_and_runs_again(
    start: StartSystem, application: psycopg.Connection, tmp_path: Path, concurrency: int
) -> None:
    effects = tmp_path / "effects"
    first = start(f"pools.default.concurrency={concurrency}")
    first.wait_until_ready()
    hold_key(application)
    parent = submit_parent(first, effects)
    assert first.stop() == ExitCode.CUT_SHORT
    application.rollback()
    second = start()
    assert outcomes_of(second, parent) == ["released", "succeeded"]
    assert runs_in(effects) == [str(parent)] * 2
