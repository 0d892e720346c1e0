"""Schedules and limits of queues, from the configuration to jobs that run."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus import Client
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Job, NewJob, Status
from orpheus.shared.storage import Store, open_store
from tests.integration.commands import program
from tests.machine import slowness, wait_until

StartSystem = Callable[..., Any]
EVERY_SECOND = '{name="tick", every=1, type="sum_range", payload={n=4}, queue="ticks"}'


def ticked(store: Store, count: int) -> list[Any]:
    jobs = store.jobs.page(JobFilter(status=Status.DONE, queue="ticks"), 100)
    return jobs if len(jobs) >= count else []


def worker_alone(folder: Path, *settings: str) -> "subprocess.Popen[str]":
    return program("worker", f"database.url=sqlite:///{folder}/data/orpheus.db", *settings)


def test_the_supervisor_fires_ticks_on_time_and_holds_limits_whatever_a_worker_alone_is_told(
    start_system: StartSystem, wait_for: Callable[..., Any]
) -> None:
    limits = ("queues.narrow.max_running=2", "queues.mail.max_running=3")
    system = start_system("pools.default.workers=3", f"schedules=[{EVERY_SECOND}]", *limits)
    system.wait_until_ready()
    store = open_store(f"sqlite:///{system.database}")
    try:
        a_limit_holds_and_all_room_that_comes_free_is_taken(system, store)
        ticks_are_fired_on_time_and_none_twice(store, wait_for)
        a_worker_alone_leaves_the_settings_as_they_are(system, store, wait_for)
    finally:
        store.close()


def ticks_are_fired_on_time_and_none_twice(store: Store, wait_for: Callable[..., Any]) -> None:
    jobs = wait_for(lambda: ticked(store, 4), "four ticks")
    fired = [
        json.loads(event.body)
        for event in store.events.after(0, 10_000)
        if event.kind == "schedule.fired"
    ]
    assert {job.result for job in jobs} == {'{"sum":10}'}
    ticks = [one["tick_ms"] for one in fired]
    assert ticks == sorted(set(ticks))
    created = {job.id: job.created_at_ms for job in jobs}
    late_ms = [created[one["job_id"]] - one["tick_ms"] for one in fired if one["job_id"] in created]
    assert min(late_ms) >= 0
    assert max(late_ms) < 1_500 * slowness()


def test_a_worker_alone_fires_schedules_too(tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    timings = ["heartbeats.interval=200ms", "heartbeats.timeout=1s"]
    with worker_alone(tmp_path, f"schedules=[{EVERY_SECOND}]", *timings) as process:
        try:
            database = tmp_path / "data" / "orpheus.db"
            wait_for(database.exists, "the database")
            store = wait_for(lambda: opened(database), "its schema")
            wait_for(lambda: ticked(store, 2), "two ticks")
            store.close()
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert process.returncode == 0


def opened(database: Path) -> Store | None:
    try:
        return open_store(f"sqlite:///{database}")
    except Exception:  # noqa: BLE001 - it is being made
        return None


def a_worker_alone_leaves_the_settings_as_they_are(
    system: Any, store: Store, wait_for: Callable[..., Any]
) -> None:
    folder = system.database.parent.parent
    with worker_alone(folder, "queues.mail.max_running=9", "leases.ahead=0") as process:
        try:
            wait_for(
                lambda: [one for one in store.processes.all() if "@" in one.slot and one.ready],
                "the worker to be ready",
            )
            [queue] = [one for one in store.queues.all() if one.name == "mail"]
            assert queue.max_running == 3
        finally:
            process.terminate()
            process.communicate(timeout=60)


def span(job: Job) -> tuple[int, int]:
    assert job.started_at_ms is not None
    assert job.finished_at_ms is not None
    return job.started_at_ms, job.finished_at_ms


def a_limit_holds_and_all_room_that_comes_free_is_taken(system: Any, store: Store) -> None:
    ids = store.jobs.submit_many([NewJob("sleep", '{"seconds": 0.75}', "narrow")] * 8)
    jobs = [system.wait_for_job(job_id) for job_id in ids]
    spans = [span(store.jobs.get(job_id)) for job_id in ids]
    assert {job["status"] for job in jobs} == {"done"}
    for began_ms, _ in spans:
        assert sum(start <= began_ms < end for start, end in spans) <= 2
    whole_ms = max(end for _, end in spans) - min(start for start, _ in spans)
    assert whole_ms < 6_000, "one after the other would take 6,000 ms and more"


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_a_schedule_of_a_program_fires_without_overlap_until_it_is_deleted(
    backend: str, request: pytest.FixtureRequest, start_system: StartSystem, tmp_path: Path
) -> None:
    settings = ["pools.default.workers=2"]
    if backend == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        settings += [f"database.url={url}", f"database.state_dir={tmp_path}/state"]
    system = start_system(*settings, cwd=tmp_path)
    system.wait_until_ready()
    with Client(system.url) as client:
        client.schedules.put("slow", job="sleep", payload={"seconds": 1.5}, every=1, overlap="skip")
        wait_until(lambda: len([*client.jobs(type="sleep", status="done")]) >= 2, "two jobs")
        jobs = [*client.jobs(type="sleep")]
        (schedule,) = client.schedules()
        client.schedules.delete("slow")
        ticks = [job.scheduled_at for job in client.jobs(type="sleep")]
        assert client.schedules() == []
    starts = sorted(job.started_at for job in jobs if job.started_at)
    ends = sorted(job.finished_at for job in jobs if job.finished_at)
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    assert all(tick is not None and tick.microsecond == 0 for tick in ticks)
    assert len(set(ticks)) == len(ticks)
    assert schedule.source == "program"
