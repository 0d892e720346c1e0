"""The database in its bad times, under real processes: each fault is made, met, and taken away.

While it lasts: 503 or 507 with a reason and Retry-After for what cannot be done, an answer for the
rest. Once it is gone: as before, within 5 s and without a restart. At the end: whatever got a 201
is there, the file is sound, and no log holds a traceback.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx2
import pytest

from orpheus.shared.domain.jobs import Status
from orpheus.shared.storage import open_store

ROOT = Path(__file__).parents[2]
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
BACK_WITHIN_S = 5.0
FAST = (
    "heartbeats.interval=0.2",
    "heartbeats.timeout=30",
    "leases.ttl=60",
    "leases.renew_every=15",
)
HOLD_THE_LOCK = (
    "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.set_busy_timeout(10_000); "
    "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
)
IN_A_SMALL_DISK = 'mount -t tmpfs -o size=3m,mode=0700 small "$0" && exec "$@"'


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = 20) -> Any:
    give_up_at = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > give_up_at:
            pytest.fail(f"waited {timeout_s} s for {what}")
        threading.Event().wait(0.02)
    return value


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
        self.client = httpx2.Client(base_url=self._address(), timeout=40, trust_env=False)

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

        checks = wait_until(unready, "readiness to tell of it", BACK_WITHIN_S)
        assert isinstance(checks, dict)
        return checks

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
        wait_until(lambda: self.post().status_code == 201, "a job to be accepted", BACK_WITHIN_S)

        def is_ok() -> bool:
            checks = self.client.get("/readyz").json()["checks"]
            return bool(checks["database"]["status"] == "ok")

        wait_until(is_ok, "readiness", BACK_WITHIN_S)
        assert time.monotonic() - began < BACK_WITHIN_S
        self.assert_reads()

    def end_well(self) -> None:
        """Everything ends in order, and the database holds what it must."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            assert process.wait(20) == 0, self.log()
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
            process.wait(10)


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


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts what it is given; seen to the end if the test was passed."""
    started: list[Orpheus] = []

    def begin_one(kind: type[Orpheus] = Orpheus, *arguments: Any) -> Orpheus:
        folder = tmp_path / f"orpheus-{len(started)}"
        folder.mkdir()
        started.append(kind(folder, *arguments))
        return started[-1]

    yield begin_one
    for one in started:
        one.kill()


def test_another_process_that_holds_the_lock_is_a_503_and_reads_go_on(begin: Any) -> None:
    orpheus = begin()
    orpheus.submit()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, orpheus.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        began = time.monotonic()
        checks = orpheus.until_unready()
        orpheus.assert_reads()
        orpheus.assert_alive()
        problem = orpheus.until_refused(503)
        assert time.monotonic() - began < 25
        holder.stdin.close()
    assert "write lock" in checks["database"]["detail"] or "held" in checks["database"]["detail"]
    assert "another process has held the database" in problem["detail"]
    orpheus.assert_back()
    orpheus.end_well()


def test_a_full_disk_is_a_507_and_jobs_go_on_once_there_is_space(begin: Any) -> None:
    orpheus = begin(OnSmallDisk)
    before = [orpheus.submit() for _ in range(5)]
    fill(orpheus.inside / "ballast")
    problem = orpheus.until_refused(507)
    assert "no space is left" in problem["detail"]
    assert "no space is left" in orpheus.until_unready()["database"]["detail"]
    orpheus.assert_reads()
    orpheus.assert_alive()
    orpheus.start_worker()  # it has no space to begin in, and waits
    (orpheus.inside / "ballast").unlink()
    orpheus.assert_back()
    wait_until(lambda: all(orpheus.job(n)["status"] == "done" for n in before), "the jobs to run")
    orpheus.end_well()


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_files_that_cannot_be_written_are_a_503_and_a_running_job_is_not_lost(begin: Any) -> None:
    orpheus = begin()
    files = [orpheus.database, Path(f"{orpheus.database}-wal")]
    orpheus.start("worker")
    job_id = orpheus.submit(type="sleep", payload={"seconds": 1})
    wait_until(lambda: orpheus.job(job_id)["status"] == "in_progress", "the job to start")
    with immutable(*files):
        problem = orpheus.until_refused(503)
        assert "cannot be used" in problem["detail"]
        assert "cannot be used" in orpheus.until_unready()["database"]["detail"]
        orpheus.assert_reads()
        orpheus.assert_alive()
        wait_until(lambda: "database_trouble" in orpheus.log(), "the worker to be done with it")
    orpheus.assert_back()
    wait_until(lambda: orpheus.job(job_id)["status"] == "done", "the job to end", BACK_WITHIN_S)
    assert len(orpheus.job(job_id)["attempts"]) == 1
    orpheus.end_well()


@contextlib.contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """The kernel refuses every change of `files`, whoever has them open, as on a failed disk."""
    if not shutil.which("chattr") or subprocess.call(["chattr", "+i", *files]):
        unless_here("files cannot be made immutable here")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


def test_a_folder_without_write_permission_stops_only_who_opens_it_anew(begin: Any) -> None:
    # Permissions bind no root who may override them.
    bound = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
    orpheus = begin(Orpheus, bound if os.geteuid() == 0 else ())
    orpheus.submit()
    cancel_all = {"action": "cancel", "filter": {"status": "pending"}}
    files = [*orpheus.disk.glob("orpheus.db*")]
    modes = {path: path.stat().st_mode & 0o777 for path in [orpheus.disk, *files]}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    orpheus.submit()  # what has them open goes on
    refused = orpheus.client.post("/jobs/bulk", json=cancel_all)  # opens a connection of its own
    for path, mode in modes.items():
        path.chmod(mode)
    assert_is_refusal(refused)
    assert "readonly" in refused.json()["detail"] or "unable to open" in refused.json()["detail"]
    orpheus.assert_back()
    assert orpheus.client.post("/jobs/bulk", json=cancel_all).json()["changed"] >= 2
    orpheus.end_well()


def test_a_damaged_page_is_a_503_for_what_needs_it_alone(begin: Any) -> None:
    orpheus = begin()
    orpheus.submit()
    size, page = page_of(orpheus.database, "jobs")
    with orpheus.database.open("r+b") as file:  # this process has no lock that closing could drop
        file.seek((page - 1) * size)
        sound = file.read(size)
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    wait_until(lambda: orpheus.client.get("/jobs").status_code == 503, "the damage to be met")
    for path in ("/jobs", "/jobs/1", "/jobs?q=x"):
        answer = orpheus.client.get(path)
        assert_is_refusal(answer)
        assert "damaged" in answer.json()["detail"]
    assert orpheus.post().status_code == 503
    orpheus.assert_reads("/types", "/stats", "/audit")
    orpheus.assert_alive()
    with orpheus.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(sound)
    orpheus.assert_back()
    orpheus.end_well()


def page_of(database: Path, table: str) -> tuple[Any, Any]:
    """The page size, and the root page of a table, which the file holds as the log is empty."""
    connection = apsw.Connection(str(database))
    connection.set_busy_timeout(10_000)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    [(page,)] = connection.execute(sql, (table,)).fetchall()
    [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    connection.close()
    return size, page


@pytest.mark.parametrize("replaced", [False, True], ids=["moved away", "replaced"])
def test_a_database_that_lost_its_name_is_a_503_until_it_has_it_again(
    begin: Any, replaced: bool
) -> None:
    orpheus = begin()
    orpheus.submit()
    orpheus.start("worker")
    job_id = orpheus.submit(type="sleep", payload={"seconds": 1})
    wait_until(lambda: orpheus.job(job_id)["status"] == "in_progress", "the job to start")
    away, other = orpheus.disk / "away.db", b"another file\n" * 1000
    orpheus.database.rename(away)
    if replaced:
        orpheus.database.write_bytes(other)
    problem = orpheus.until_refused(503)
    assert "moved, deleted or replaced" in problem["detail"]
    assert str(orpheus.database) in problem["detail"]
    checks = orpheus.until_unready()
    assert "moved" in checks["database"]["detail"]
    assert checks["workers"]["status"] == "ok"
    orpheus.assert_reads()
    orpheus.assert_alive()
    wait_until(lambda: "database_trouble" in orpheus.log(), "the worker to be done with it")
    if replaced:
        assert orpheus.database.read_bytes() == other
    away.rename(orpheus.database)
    orpheus.assert_back()
    wait_until(lambda: orpheus.job(job_id)["status"] == "done", "the job to end", BACK_WITHIN_S)
    assert len(orpheus.job(job_id)["attempts"]) == 1
    orpheus.end_well()


def test_faults_of_all_kinds_under_load_lose_no_acknowledged_job(begin: Any) -> None:
    """Clients go on while the file comes and goes: each answer is one that they may get."""
    orpheus = begin()
    orpheus.start("worker")
    away = orpheus.disk / "away.db"
    over = threading.Event()

    def write_on() -> None:
        while not over.is_set():
            orpheus.post()

    clients = [threading.Thread(target=write_on) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for _ in range(5):
            orpheus.database.rename(away)
            wait_until(lambda: orpheus.post().status_code == 503, "a refusal")
            away.rename(orpheus.database)
            wait_until(lambda: orpheus.post().status_code == 201, "an acceptance", BACK_WITHIN_S)
    finally:
        over.set()
        for client in clients:
            client.join(60)
    orpheus.assert_back()

    def all_done() -> bool:
        counts = orpheus.client.get("/stats").json()["counts"]
        return bool(counts[Status.DONE] == sum(counts.values()))

    wait_until(all_done, "every job to be done", 60)
    orpheus.end_well()
