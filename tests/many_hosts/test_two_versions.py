"""A deployment host by host: two versions of the job code on one database, and nothing fails."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.harness import JOBS, until
from tests.many_hosts.conftest import StartHosts
from tests.many_hosts.database_server import DatabaseServer
from tests.many_hosts.hosts import Host

OLD_CODE = """
from orpheus import Context, job

@job
def resize(ctx: Context, path: str) -> str:
    return "old"
"""
NEW_CODE = """
from orpheus import Context, job

@job
def resize(ctx: Context, path: str, width: int) -> str:
    return "new"

@job
def crop(ctx: Context, path: str) -> None:
    ctx.enqueue(resize.new(path=path, width=1))
"""
OLD: dict[str, Any] = {"type": "resize", "payload": {"path": "a"}}
NEW: dict[str, Any] = {"type": "resize", "payload": {"path": "a", "width": 1}}
CROP: dict[str, Any] = {"type": "crop", "payload": {"path": "a"}}
SETTINGS = {
    "jobs.modules": '["orpheus.worker.handlers", "chaos_jobs", "shop_jobs"]',
    "pools.default.workers": "2",
    "jobs.max_retries": "0",
}


def deploy(code: Path, name: str, text: str) -> None:
    """Put job code onto a host, which reads it at its next start or reload."""
    folder = code / name
    folder.mkdir(exist_ok=True)
    (folder / "shop_jobs.py").write_text(text)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Has a folder of job code for each host."""
    for name in ("ada", "bob"):
        deploy(tmp_path, name, OLD_CODE)
    return tmp_path


@pytest.fixture
def hosts(shared_server: DatabaseServer, start_hosts: StartHosts, code: Path) -> list[Host]:
    return start_hosts(
        {name: shared_server.url() for name in ("ada", "bob")},
        SETTINGS,
        environment_of=lambda name: {
            "PYTHONPATH": f"{JOBS}:{code / name}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


def workers_of(host: Host) -> list[dict[str, Any]]:
    return [worker for worker in host.workers().values() if worker["pool"]]


def order(host: Host, action: str) -> None:
    """Drain or restart every worker of a host."""
    for worker in workers_of(host):
        path = f"/workers/{worker['slot']}/{action}?host={host.name}"
        host.client.post(path).raise_for_status()


def reload(host: Host) -> None:
    """Until every worker of the host has its new code."""
    before = {worker["pid"] for worker in workers_of(host)}
    host.supervisor.send_signal(signal.SIGHUP)
    until(
        lambda: all(
            worker["pid"] not in before and worker["state"] == "ready"
            for worker in workers_of(host)
        ),
        f"the workers of {host.name} to be replaced",
    )


def submit(host: Host, *jobs: dict[str, Any], times: int = 20) -> list[int]:
    """Submit each of these jobs so often; an API that refuses one fails the test."""
    ids = []
    for job in jobs * times:
        answer = host.client.post("/jobs", json=job)
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
        time.sleep(0.01)
    return ids


def test_nothing_fails_is_refused_or_spent_while_hosts_have_different_code(
    hosts: list[Host], code: Path
) -> None:
    ada, bob = hosts
    old = submit(bob, OLD)
    deploy(code, "ada", NEW_CODE)
    reload(ada)
    new = submit(ada, NEW, CROP) + submit(bob, NEW, CROP)
    old += submit(ada, OLD) + submit(bob, OLD)
    bob.stop()  # it comes back with the old code
    new += submit(ada, NEW, CROP)
    old += submit(ada, OLD)
    bob.start()
    bob.until_ready()
    new += submit(ada, NEW, CROP) + submit(bob, NEW, CROP)
    old += submit(ada, OLD) + submit(bob, OLD)

    order(ada, "drain")
    until(
        lambda: {worker["state"] for worker in workers_of(ada)} == {"down"},
        "the workers with the new code to be gone",
    )
    [waiting] = submit(bob, NEW, times=1)
    [reason] = bob.get(f"/jobs/{waiting}/why")["reasons"]
    assert reason["code"] == "newer_code"
    assert reason["text"] == "no ready worker has the newer code of resize"
    order(ada, "restart")
    assert ada.until_ended(waiting)["result"] == "new"

    jobs = [bob.until_ended(job_id) for job_id in old + new]
    assert {job["result"] for job in jobs[: len(old)]} == {"old"}
    assert {job["status"] for job in jobs} == {"done"}
    assert {attempt["outcome"] for job in jobs for attempt in job["attempts"]} == {"succeeded"}
    until(lambda: bob.get("/stats")["counts"]["pending"] == 0, "the children")
    counts = bob.get("/stats")["counts"]
    assert counts["failed"] == counts["cancelled"] == 0
