"""Several hosts on one database: each a supervisor with a name and a folder of its own."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import processes_of

StartSystem = Callable[..., Any]


def seconds(earlier: str, later: str) -> float:
    """Between two times of the API."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


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
