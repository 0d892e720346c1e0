"""Several hosts on one database: each a supervisor with a name and a folder of its own."""

import contextlib
import statistics
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import processes_of

StartSystem = Callable[..., Any]


def seconds(earlier: str, later: str) -> float:
    """Between two times of the API."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


@pytest.mark.long  # the usual run has it through a pooler: tests/many_hosts/test_pgbouncer.py
def test_a_commit_wakes_the_workers_and_the_api_of_other_hosts(
    start_system: StartSystem, postgresql_url: str, tmp_path: Path
) -> None:
    slow = ("heartbeats.interval=5s", "heartbeats.timeout=25s", "leases.ttl=60s")
    shared = (f"database.url={postgresql_url}", "pools.default.workers=1", *slow)

    def start(name: str) -> Any:
        own = (f"database.state_dir={tmp_path}/{name}", f'pools.default.queues=["{name}"]')
        return start_system(*shared, *own, host=name)

    ada, bob = start("ada"), start("bob")
    ada.wait_until_ready()
    bob.wait_until_ready()
    hosts = {one["host"] for one in ada.get("/workers")["items"]}
    assert hosts == {"ada", "bob"}
    jobs = [ada.wait_for_job(ada.submit("wordcount", {"text": "x"}, queue="bob")) for _ in range(9)]
    assert {job["attempts"][0]["outcome"] for job in jobs} == {"succeeded"}
    waited_s = [seconds(job["created_at"], job["started_at"]) for job in jobs]
    assert statistics.median(waited_s) < 1, "without it, the poll finds a job after 2.5 s"
    assert bob.client.post("/workers/default-1/restart?host=ada").status_code == 202
    assert ada.stop() == 0
    assert bob.stop() == 0


def test_the_stack_of_a_slot_is_shown_by_every_host(
    start_system: StartSystem, postgresql_url: str, tmp_path: Path
) -> None:
    shared = (f"database.url={postgresql_url}", "pools.default.workers=1")

    def start(name: str) -> Any:
        own = (f"database.state_dir={tmp_path}/{name}", f'pools.default.queues=["{name}"]')
        return start_system(*shared, *own, host=name)

    ada, bob = start("ada"), start("bob")
    ada.wait_until_ready()
    bob.wait_until_ready()
    there = bob.submit("sleep", {"seconds": 60}, queue="bob")
    answer = ada.client.get("/workers/default-1/stack?host=bob").json()
    assert "run_loop" in answer["stack"] or "sleep" in answer["stack"], answer
    slots = {(one["host"], one["slot"]): one["pid"] for one in ada.get("/workers")["items"]}
    assert answer["pid"] == slots["bob", "default-1"]
    bob.client.post(f"/jobs/{there}/cancel")
    refused = ada.client.get("/workers/supervisor/stack?host=bob")
    assert refused.status_code == 409, "as on its own host"
    assert ada.stop() == 0
    assert bob.stop() == 0


def test_when_a_host_dies_another_leads_and_runs_its_jobs(
    start_system: StartSystem, postgresql_url: str, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    schedules = tmp_path / "orpheus.toml"
    schedules.write_text(
        """
        [[schedules]]
        name = "each-second"
        every = "1s"
        type = "wordcount"
        payload = { text = "tick" }
        """
    )
    shared = (f"database.url={postgresql_url}", "pools.default.workers=1")
    quick = ("heartbeats.interval=1s", "heartbeats.timeout=5s")
    leases = ("leases.ttl=10s", "leases.renew_every=1s")

    def start(name: str) -> Any:
        own = f"database.state_dir={tmp_path}/{name}"
        return start_system(*shared, *quick, *leases, own, config=schedules, host=name)

    ada = start("ada")
    left_id = ada.submit("sleep", {"seconds": 60})
    wait_for(lambda: ada.get(f"/jobs/{left_id}")["status"] == "in_progress", "the job to run")
    bob = start("bob")
    bob.wait_until_ready()
    for process in processes_of(ada.mark):  # the machine is gone, with all that ran there
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    fired = bob.get("/schedules")["items"][0]["last_run"]

    def attempts() -> Any:
        return [one["outcome"] for one in bob.get(f"/jobs/{left_id}")["attempts"]]

    wait_for(lambda: attempts() == ["lost", None], "its job to run again")
    bob.client.post(f"/jobs/{left_id}/cancel")
    assert bob.wait_for_job(left_id)["status"] == "cancelled"

    def lost() -> Any:
        items = bob.get("/workers")["items"]
        return [one for one in items if one["host"] == "ada" and "lost" in one["reason"]]

    assert {one["slot"] for one in wait_for(lost, "its slots to be lost")} >= {"api", "default-1"}
    wait_for(lambda: bob.get("/schedules")["items"][0]["last_run"] != fired, "another leader")
    ticks = bob.get("/jobs?type=wordcount&limit=200")["items"]
    assert len({job["run_at"] for job in ticks}) == len(ticks), "a tick fires once"
    assert bob.stop() == 0
