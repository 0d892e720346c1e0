"""A deployment host by host: two versions of the job code on one database, and nothing fails."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
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
MODULES = '["orpheus.worker.handlers", "chaos_jobs", "shop_jobs"]'
SETTINGS = {"jobs.modules": MODULES, "pools.default.workers": "2", "jobs.max_retries": "0"}


class Application:
    """Submits without a pause, to one host after the other."""

    def __init__(self, hosts: list[Host]) -> None:
        self.sends = [OLD]
        self.sent: list[tuple[dict[str, Any], int]] = []
        self.refused: list[str] = []
        self._hosts = hosts
        self._is_ending = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._is_ending:
            number += 1
            job, host = self.sends[number % len(self.sends)], self._hosts[number // 2 % 2]
            try:
                answer = httpx2.post(f"{host.url}/jobs", json=job, timeout=10, trust_env=False)
            except httpx2.TransportError:
                continue  # it restarts
            if answer.status_code == 201:
                self.sent.append((job, answer.json()["id"]))
            elif answer.status_code != 503:
                self.refused.append(answer.text)
            time.sleep(0.01)

    def send_more(self, n: int = 30) -> None:
        """Until so many more are acknowledged."""
        before = len(self.sent)
        until(lambda: len(self.sent) >= before + n, "more jobs to be accepted")

    def end(self) -> None:
        """Send nothing more."""
        self._is_ending = True
        self._thread.join()


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has a folder of job code for each host."""
    return tmp_path_factory.mktemp("code")


def deploy(code: Path, name: str, text: str) -> None:
    """Put other job code onto a host, which does not read it yet."""
    folder = code / name
    folder.mkdir(exist_ok=True)
    (folder / "shop_jobs.py").write_text(text)


@pytest.fixture(scope="module")
def hosts(shared_server: DatabaseServer, start_hosts: StartHosts, code: Path) -> list[Host]:
    for name in ("ada", "bob"):
        deploy(code, name, OLD_CODE)
    return start_hosts(
        {name: shared_server.url() for name in ("ada", "bob")},
        SETTINGS,
        environment_of=lambda name: {
            "PYTHONPATH": f"{JOBS}:{code / name}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


@pytest.fixture
def application(hosts: list[Host]) -> Iterator[Application]:
    made = Application(hosts)
    yield made
    made.end()


def workers_of(host: Host) -> list[dict[str, Any]]:
    return [one for one in host.workers().values() if one["pool"]]


def order(host: Host, action: str) -> None:
    """Drain or restart every worker of a host."""
    for slot in workers_of(host):
        path = f"/workers/{slot['slot']}/{action}?host={host.name}"
        host.client.post(path).raise_for_status()


def reload(host: Host) -> None:
    """Until every worker of the host has its new code."""
    before = {one["pid"] for one in workers_of(host)}
    host.supervisor.send_signal(signal.SIGHUP)

    def replaced() -> bool:
        return all(one["pid"] not in before and one["state"] == "ready" for one in workers_of(host))

    until(replaced, f"the workers of {host.name} to be replaced")


def ended(host: Host, ids: list[int]) -> list[dict[str, Any]]:
    return [host.until_ended(job_id) for job_id in ids]


def test_nothing_fails_is_refused_or_spent_while_hosts_have_different_code(
    hosts: list[Host], application: Application, code: Path
) -> None:
    ada, bob = hosts
    application.send_more()
    deploy(code, "ada", NEW_CODE)
    reload(ada)
    application.sends = [OLD, NEW, CROP]
    application.send_more(60)
    bob.stop()  # it comes back with the old code
    application.send_more()
    bob.start()
    bob.until_ready()
    application.send_more(60)
    shown = {one["name"]: one for one in bob.get("/types")["items"]}
    assert "width" in shown["resize"]["schema"]["properties"], "the newest is shown"
    assert (shown["resize"]["versions"], shown["crop"]["versions"]) == (2, 1)

    order(ada, "drain")
    until(
        lambda: {one["state"] for one in workers_of(ada)} == {"down"},
        "the workers with the new code to be gone",
    )
    waiting = bob.client.post("/jobs", json=NEW).json()["id"]
    [reason] = bob.get(f"/jobs/{waiting}/why")["reasons"]
    assert reason["code"] == "newer_code"
    assert reason["text"] == "it waits for a worker with the newer code of resize"
    order(ada, "restart")
    assert ada.until_ended(waiting)["result"] == "new"

    application.sends = [NEW, CROP]
    application.send_more(20)
    old = [job_id for job, job_id in application.sent if job is OLD]
    assert {job["result"] for job in ended(bob, old)} == {"old"}
    deploy(code, "bob", NEW_CODE)
    reload(bob)
    application.send_more()
    application.end()
    assert application.refused == []
    jobs = ended(bob, [job_id for _, job_id in application.sent])
    assert {job["status"] for job in jobs} == {"done"}
    assert {one["outcome"] for job in jobs for one in job["attempts"]} == {"succeeded"}
    until(lambda: bob.get("/stats")["counts"]["pending"] == 0, "the children")
    counts = bob.get("/stats")["counts"]
    assert counts["failed"] == counts["cancelled"] == 0
    until(
        lambda: bob.client.post("/jobs", json=OLD).status_code == 422,
        "the old code to be forgotten",
    )
