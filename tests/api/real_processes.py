"""An API and workers as real processes on one database, on a small disk if wanted."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orpheus.shared.storage import open_store
from tests.machine import PATIENCE_S, slowness, wait_until

ROOT = Path(__file__).parents[2]


ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


BACK_WITHIN_S = 5.0
FAST = (
    "heartbeats.interval=0.2",
    "heartbeats.timeout=30",
    "leases.ttl=60",
    "leases.renew_every=15",
)


IN_A_SMALL_DISK = 'mount -t tmpfs -o size=3m,mode=0700 small "$0" && exec "$@"'


def unless_here(why: str) -> None:
    """What a machine cannot do is skipped on a laptop, and fails where everything must be seen."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


class Orpheus:
    """An API alone, and workers, on one database; talked to as clients do."""

    def __init__(self, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        self.disk = folder / "disk"
        self.disk.mkdir(mode=0o700)
        self.database = self.disk / "orpheus.db"
        self.acknowledged: list[int] = []
        self._log = folder / "log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.api = self.start("api", prefix, "api.port=0")
        try:
            self.client = httpx2.Client(base_url=self._address(), timeout=40, trust_env=False)
        except BaseException:
            self.api.kill()
            self.api.wait()
            raise

    def start(
        self, program: str, prefix: tuple[str, ...] = (), *sets: str
    ) -> "subprocess.Popen[bytes]":
        settings = (f"database.url=sqlite:///{self.database}", *FAST, *sets)
        arguments = [part for one in settings for part in ("--set", one)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", program, *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        self._processes.append(process)
        return process

    def _address(self) -> str:
        def found() -> str | None:
            assert self.api.poll() is None, self.log()
            match = ADDRESS.search(self.log())
            return match[0] if match and "api_ready" in self.log() else None

        address = wait_until(found, "the API")
        assert isinstance(address, str)
        return address

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def post(self, **fields: Any) -> httpx2.Response:
        """Submit a job; whatever the answer is, it is one that a client may get."""
        answer = self.client.post(
            "/jobs", json={"type": "sum_range", "payload": {"n": 3}, **fields}
        )
        if answer.status_code == 201:
            self.acknowledged.append(answer.json()["id"])
        else:
            assert_is_refusal(answer)
        return answer

    def submit(self, **fields: Any) -> int:
        answer = self.post(**fields)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def job(self, job_id: int) -> dict[str, Any]:
        answer = self.client.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def until_refused(self, status: int) -> dict[str, Any]:
        """Submit jobs until one is refused; the problem."""
        answer = wait_until(
            lambda: a if (a := self.post()).status_code != 201 else None, "a refusal"
        )
        assert answer.status_code == status, answer.text
        problem: dict[str, Any] = answer.json()
        return problem

    def until_unready(self) -> dict[str, Any]:
        """Until /readyz says that the database is in trouble; its checks."""

        def unready() -> Any:
            answer = self.client.get("/readyz")
            checks = answer.json()["checks"]
            return checks if checks["database"]["status"] == "failed" else None

        checks = wait_until(unready, "readiness to tell of it", BACK_WITHIN_S * slowness())
        assert isinstance(checks, dict)
        return checks

    def until_nothing_is_written(self) -> None:
        """Until the verdict says so, first of all."""

        def told() -> bool:
            first, *_ = self.client.get("/stats").json()["verdict"]["concerns"] or [{"code": ""}]
            return bool(first["code"] == "no_writes")

        wait_until(told, "the verdict to tell of it", BACK_WITHIN_S * slowness())

    def assert_reads(self, *paths: str) -> None:
        for path in paths or (
            "/jobs",
            "/stats",
            "/metrics",
            "/queues",
            f"/jobs/{max(self.acknowledged)}",
        ):
            answer = self.client.get(path)
            assert answer.status_code == 200, f"{path}: {answer.text}"

    def assert_alive(self) -> None:
        assert self.client.get("/healthz").status_code == 200
        assert self.api.poll() is None

    def assert_back(self) -> None:
        """The cause has just gone."""
        began = time.monotonic()
        wait_until(lambda: self.post().status_code == 201, "a job to be accepted")

        def is_ok() -> bool:
            checks = self.client.get("/readyz").json()["checks"]
            return bool(checks["database"]["status"] == "ok")

        wait_until(is_ok, "readiness")
        assert time.monotonic() - began < BACK_WITHIN_S * slowness()
        self.assert_reads()

    def end_well(self) -> None:
        """Everything ends in order, and the database holds what it must."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            assert process.wait(PATIENCE_S) == 0, self.log()
        store = open_store(f"sqlite:///{self.left_behind()}")
        for job_id in self.acknowledged:
            store.jobs.get(job_id)
        assert store.maintenance.verify() == []
        store.close()
        log = self.log()
        assert "Traceback" not in log, log
        assert "request_failed" not in log, log

    def left_behind(self) -> Path:
        """The database, once nobody has it open."""
        return self.database

    def kill(self) -> None:
        self.client.close()
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE_S)


class OnSmallDisk(Orpheus):
    """The same in a file system of 3 MiB, in a mount namespace that goes with its processes."""

    def __init__(self, folder: Path) -> None:
        user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        probe = ("unshare", *user, "--mount", "sh", "-c", 'mount -t tmpfs none "$0"', str(folder))
        if not shutil.which("unshare") or subprocess.run(probe, check=False).returncode:
            unless_here("file systems cannot be mounted here")
        disk = str(folder / "disk")
        super().__init__(folder, ("unshare", *user, "--mount", "sh", "-c", IN_A_SMALL_DISK, disk))
        self._enter: tuple[str, ...] = (
            "nsenter",
            f"--target={self.api.pid}",
            "--mount",
            f"--wd={ROOT}",
        )
        if user:
            self._enter = (*self._enter, "--user", "--preserve-credentials")
        self._fd = os.open(f"/proc/{self.api.pid}/root{self.disk}", os.O_RDONLY | os.O_DIRECTORY)
        self.inside = Path(f"/proc/self/fd/{self._fd}")

    def start_worker(self) -> None:
        self.start("worker", self._enter)

    def left_behind(self) -> Path:
        """A copy, as SQLite asks for the file's real name, and outside it has none."""
        folder = self.disk.with_name("copy")
        folder.mkdir(mode=0o700)
        for path in self.inside.glob("orpheus.db*"):
            if path.is_file():
                shutil.copy(path, folder)
        return folder / self.database.name

    def kill(self) -> None:
        super().kill()
        os.close(self._fd)


def assert_is_refusal(answer: httpx2.Response) -> None:
    assert answer.status_code in (503, 507), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["detail"]
