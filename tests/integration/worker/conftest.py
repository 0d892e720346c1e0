"""Real workers, alone or held by a test that plays the supervisor, on a database of their own."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.handover import JobDefaults, StorageSettings, WorkerHandover
from orpheus.shared.domain.jobs import Job, NewJob, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.crash_cell import read_cell
from orpheus.shared.storage import Store, open_store
from tests.databases import make_database
from tests.machine import PATIENCE_S, wait_until

JOBS = Path(__file__).parent / "jobs"
POOLS = {"default": ("*",)}
FAST = {  # the shortest that the rules of configuration allow
    "heartbeats.interval": "200ms",
    "heartbeats.timeout": "1s",
    "leases.ttl": "5s",
    "leases.renew_every": "900ms",
    "jobs.backoff_base": "50ms",
    "jobs.modules": '["orpheus.worker.handlers", "jobs_under_test"]',
}


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """`wait_for(condition, "what it waits for")`."""
    return wait_until


class Database:
    """The test's own view of the database."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"
        make_database(self.url)
        self.store: Store = open_store(self.url, pools=POOLS)

    def submit(self, job_type: str, payload: str = "{}", **fields: Any) -> int:
        """A job's id."""
        return self.store.jobs.submit(NewJob(job_type, payload, **fields)).job.id

    def wait(self, job_id: int, *statuses: Status) -> Job:
        """The job, once it has one of these statuses (else: once it has ended).

        In progress: its code runs. Of a job that was only leased no attempt is left.
        """
        wanted = frozenset(statuses) or TERMINAL

        def there() -> Job | None:
            job = self.store.jobs.get(job_id)
            if job.status is Status.IN_PROGRESS and job_id not in self._entered():
                return None
            return job if job.status in wanted else None

        job = wait_until(there, f"job {job_id} to be {sorted(wanted)}")
        assert isinstance(job, Job)
        return job

    def _entered(self) -> set[int]:
        state = self.store.state
        cells = [read_cell(state.cell(one.incarnation)) for one in self.store.processes.all()]
        return {job_id for cell in cells if cell for job_id in cell.jobs}

    def outcomes(self, job_id: int) -> list[str | None]:
        """Of its attempts, oldest first."""
        return [one.outcome for one in self.store.jobs.attempts(job_id)]


class Worker:
    """A worker process. `channel`: the supervisor's end, None for one that is alone."""

    def __init__(
        self,
        log: Path,
        argv: list[str],
        channel: Channel | None,
        *fds: int,
        failpoints: Path | None = None,
        stderr: int = subprocess.STDOUT,
    ) -> None:
        self.log_file = log
        self.channel = channel
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
        if failpoints is not None:
            environment |= {"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(failpoints)}
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orpheus.worker", *argv],
                cwd=JOBS,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=stderr,
                env=environment,
                pass_fds=fds,
                start_new_session=True,
            )
        self.pid = self.process.pid
        self.heard: list[dict[str, Any]] = []

    def log(self) -> str:
        """What it has written to its terminal."""
        return self.log_file.read_text(encoding="utf-8")

    def says(self, what: str) -> dict[str, Any] | None:
        """The latest message of that kind."""
        assert self.channel is not None
        self.heard += self.channel.receive()
        return next((one for one in reversed(self.heard) if one["say"] == what), None)

    def wait_until_ready(self) -> "Worker":
        """Until it takes jobs."""
        wait_until(self._is_ready, "the worker to be ready")
        return self

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"the worker ended with {self.process.returncode}:\n{self.log()}")
        return "worker_ready" in self.log()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        if self.channel is not None:
            self.channel.close()


class Workers:
    """Starts workers on one database, and ends them all."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._started: list[Worker] = []

    def alone(self, settings: dict[str, str] | None = None, *argv: str, **options: Any) -> Worker:
        """Starts `python -m worker` with settings (`{"jobs.timeout": "1s"}`); see Worker."""
        merged = {**FAST, "database.url": self._database.url, **(settings or {})}
        sets = [part for key, value in merged.items() for part in ("--set", f"{key}={value}")]
        log = self._folder / f"log-{len(self._started)}"
        return self._add(Worker(log, [*argv, *sets], None, **options))

    def supervised(self, **changes: Any) -> Worker:
        """Starts a worker whose supervisor is the test, with changed fields of WorkerHandover."""
        number = len(self._started) + 1
        ours, theirs = Channel.pair()
        with theirs:
            argv = ["--control-fd", str(theirs.fileno())]
            log = self._folder / f"log-{number}"
            worker = self._add(Worker(log, argv, ours, theirs.fileno()))
        handover = {
            "slot": f"default-{number}",
            "incarnation": f"life-{number}",
            "supervisor_pid": os.getpid(),
            "crash_file": str(self._folder / f"crash-{number}"),
            "stack_file": str(self._folder / f"stack-{number}"),
            "settings": msgspec.to_builtins(worker_settings(self._database.url, **changes)),
        }
        ours.send({"handover": handover})
        return worker

    def end(self) -> None:
        """Leave nothing behind."""
        for worker in self._started:
            worker.end()

    def _add(self, worker: Worker) -> Worker:
        self._started.append(worker)
        return worker


@contextlib.contextmanager
def new_database(folder: Path) -> Iterator[Database]:
    """An empty database in a folder of its own."""
    (folder / "data").mkdir(mode=0o700)
    made = Database(folder / "data" / "orpheus.db")
    yield made
    made.store.close()


@contextlib.contextmanager
def new_workers(database: Database, folder: Path) -> Iterator[Workers]:
    """Workers that end with the fixture."""
    made = Workers(database, folder)
    yield made
    made.end()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    with new_database(tmp_path) as made:
        yield made


@pytest.fixture
def workers(database: Database, tmp_path: Path) -> Iterator[Workers]:
    """Starts the workers of one test."""
    with new_workers(database, tmp_path) as made:
        yield made


@pytest.fixture
def start_alone(workers: Workers) -> Callable[..., Worker]:
    """See Workers.alone."""
    return workers.alone


@pytest.fixture
def start_supervised(workers: Workers) -> Callable[..., Worker]:
    """See Workers.supervised."""
    return workers.supervised


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the tests of one module."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_database(shared_folder: Path) -> Iterator[Database]:
    """One database for the tests of a module that look only at their own jobs."""
    with new_database(shared_folder) as made:
        yield made


@pytest.fixture(scope="module")
def shared_workers(shared_database: Database, shared_folder: Path) -> Iterator[Workers]:
    """Starts workers for the tests of a module that leave them as they were."""
    with new_workers(shared_database, shared_folder) as made:
        yield made


@pytest.fixture(scope="module")
def shared_worker(shared_workers: Workers) -> Worker:
    """One worker alone for the tests of a module that leave it as it was."""
    return shared_workers.alone().wait_until_ready()


@pytest.fixture
def make_settings(database: Database) -> Callable[..., WorkerHandover]:
    """Makes the settings of a worker on the test's database, with some fields changed."""
    return lambda **changes: worker_settings(database.url, **changes)


def worker_settings(url: str, **changes: Any) -> WorkerHandover:
    """As FAST, for a worker that reads no configuration."""
    values: dict[str, Any] = {
        "storage": StorageSettings(
            url, durable=True, pools=POOLS, backoff=BackoffRules(base_s=0.05)
        ),
        "pool": "default",
        "queues": ("*",),
        "modules": ("orpheus.worker.handlers", "jobs_under_test"),
        "commands": (),
        "host_name": "host-1",
        "defaults": JobDefaults(max_retries=3, timeout_s=900.0),
        "cancel_grace_s": 10.0,
        "lease_ttl_s": 5.0,
        "renew_every_s": 0.9,
        "ahead_s": 0.02,
        "beat_interval_s": 0.2,
        "beat_timeout_s": 1.0,
        "stop_timeout_s": 25.0,
        "log_level": "info",
        "log_format": "json",
        **changes,
    }
    return WorkerHandover(**values)
