"""The whole system under test: `python -m supervisor` on a free port and a database of its own.

Also how a run is spread over processes, and the check that it leaves no process behind.
"""

import contextlib
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from hypothesis import settings

from tests.databases import make_database
from tests.machine import PATIENCE_S, folder_in_memory, processes_with, wait_until

# A busy machine is no error: what takes too long is found by benchmarks.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")

pytest_plugins = ["tests.groups", "tests.postgresql_server"]

ROOT = Path(__file__).parents[1]
STARTED = re.compile(r"(http://127\.0\.0\.1:\d+)")
MARK = "UNDER_TEST"
RUN = "RUN_UNDER_TEST"
"""The environment variable by which every process that a run has started is found."""
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A run starts hundreds of Python processes; without bytecode each would compile all it imports.


if in_memory := folder_in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(in_memory))  # where `tmp_path` is


# Each process of a run makes a million objects while it collects, and keeps them to the end. To
# look through them for garbage, again and again, costs a third of the collection.


def pytest_collection() -> None:
    """Collect no garbage meanwhile."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was collected out of each later look for garbage."""
    gc.freeze()
    gc.enable()


# How a run is spread over processes


LONG = {
    "CAMPAIGN_HOSTS": "3",
    "CAMPAIGN_SECONDS": "600",
    "CASCADE_JOBS": "1100",
    "CHAOS_LONG": "1",
    "CHAOS_SECONDS": "600",
    "DAY_SECONDS": "180",
    "DURABLE_FUNCTIONS": "500",
    "EXAMPLES": "250",
    "EXAMPLES_ON_POSTGRES": "250",
    "KILLED_JOBS": "1000",
    "LISTED_JOBS": "1000000",
    "OUTBOX_ROWS": "10000",
    "SCHEDULES": "20000",
    "SCHEDULES_ON_POSTGRES": "500",
    "SCHEMATHESIS_SECONDS": "300",
    "STANDSTILLS": "100",
    "WALKS": "10000",
}
"""What `--long` sets, unless it is set already. docs/testing.md says what each one does."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`."""
    parser.addoption(
        "--long", action="store_true", help="run all variants and full numbers: docs/testing.md"
    )


def _leave_out_long_variants(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `long`, unless it is asked for: by `--long`, `-m long` or its id."""
    if config.getoption("--long") or "long" in config.getoption("markexpr"):
        return
    ids = tuple(argument for argument in config.args if "::" in argument)
    left_out = {
        item
        for item in items
        if item.get_closest_marker("long") and not item.nodeid.startswith(ids)
    }
    if left_out:
        config.hook.pytest_deselected(items=sorted(left_out, key=lambda item: item.nodeid))
        items[:] = [item for item in items if item not in left_out]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes run the tests: most tests wait, so many more than there are cores.

    What is named on the command line runs in this process, where a debugger can be used.
    """
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return max(8, 2 * (psutil.cpu_count() or 2))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """Keep the tests of a file that share something in one process, and give the run its order.

    So are all tests of many hosts: two of them at once would be a dozen processes on two cores.
    """
    _leave_out_long_variants(config, items)
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if _folder(item) == "many_hosts":
            item.add_marker(pytest.mark.xdist_group("many_hosts"))
        elif any(name.startswith("shared_") for name in fixtures):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(ROOT))))
    yield  # pytest-randomly shuffles; of the marks, tests/groups.py tells pytest-xdist
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, ...]:
    """When a test comes: what takes longest first, so that no process works alone at the end.

    The browser tests come last: Playwright's synchronous interface leaves its event loop running
    in the main thread, where no other test could start one then. Otherwise any order must do.
    """
    folder = _folder(item)
    return (
        folder == "browser",
        folder != "many_hosts",
        folder != "packaging",
        item.get_closest_marker("xdist_group") is None,
        folder != "simulation",
    )


def _folder(item: pytest.Item) -> str:
    """The folder below `tests/` that a test is in."""
    return item.nodeid.split("/", 2)[1]


# No process is left behind


def pytest_configure(config: pytest.Config) -> None:
    """Set what the processes of xdist inherit: the mark of this run, and what `--long` sets."""
    if config.getoption("--long"):
        os.environ.update({name: value for name, value in LONG.items() if name not in os.environ})
    os.environ.setdefault(RUN, uuid.uuid4().hex)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail a run that leaves a process behind. A process of xdist leaves that to its parent."""
    yield
    if hasattr(session.config, "workerinput"):
        return
    own = {os.getpid(), *(one.pid for one in psutil.Process().parents())}
    give_up_at = time.monotonic() + 10
    while left := [one for one in processes_with(RUN, os.environ[RUN]) if one.pid not in own]:
        if time.monotonic() > give_up_at:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    sys.stderr.write(f"\nleft behind: {process.pid} {process.cmdline()}\n")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            return
        threading.Event().wait(0.1)


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    """`wait_for(condition, "what it waits for")`."""
    return wait_until


def processes_of(mark: str) -> list[psutil.Process]:
    """Return every living process that was started, directly or not, with this mark."""
    return processes_with(MARK, mark)


class System:
    """A running Orpheus, talked to over HTTP as its users do."""

    def __init__(
        self,
        folder: Path,
        *settings: str,
        config: Path | None = None,
        cwd: Path = ROOT,
    ) -> None:
        """`cwd`: as a shell enters it."""
        self.mark = uuid.uuid4().hex
        self.database = folder / "data" / "orpheus.db"
        self._settings = settings
        self._cwd = cwd
        self._config = () if config is None else ("--config", str(config))
        self._log = folder / "log"
        make_database(f"sqlite:///{self.database}")
        self.process = self._start()
        self.url = wait_until(self._address, "the address in the log")
        self.client = httpx2.Client(base_url=self.url, timeout=40, trust_env=False, verify=False)

    def _start(self) -> subprocess.Popen[bytes]:
        settings = ("api.port=0", f"database.url=sqlite:///{self.database}", *self._settings)
        sets = [part for setting in settings for part in ("--set", setting)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "orpheus.supervisor", *self._config, *sets],
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment, MARK: self.mark, "PWD": str(self._cwd)},
                start_new_session=True,
            )

    def _address(self) -> str | None:
        if self.process.poll() is not None:
            pytest.fail(f"the supervisor ended with {self.process.returncode}:\n{self.log()}")
        match = STARTED.search(self.log())
        return match[1] if match else None

    def log(self) -> str:
        """Everything it and its children have printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Any:
        """The JSON that GET answers."""
        answer = self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def submit(self, type: str, payload: dict[str, Any] | None = None, **fields: Any) -> int:
        """Submit a job; its id."""
        answer = self.client.post("/jobs", json={"type": type, "payload": payload or {}, **fields})
        assert answer.status_code in (200, 201), answer.text
        return int(answer.json()["id"])

    def wait_for_job(self, job_id: int, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The job once it has ended."""
        terminal = {"done", "failed", "cancelled"}

        def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = self.get(f"/jobs/{job_id}?wait=1")
            return job if job["status"] in terminal else None

        job = wait_until(ended, f"the end of job {job_id}", timeout_s)
        assert isinstance(job, dict)
        return job

    def workers(self) -> dict[str, dict[str, Any]]:
        """The slots, by name."""
        return {one["slot"]: one for one in self.get("/workers")["items"]}

    def wait_until_ready(self) -> None:
        """Until /readyz says so."""
        wait_until(lambda: self.client.get("/readyz").status_code == 200, "readiness")

    def stop(self, signal_number: int = signal.SIGTERM, timeout_s: float = 60) -> int:
        """Stop it and see that no process is left; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        code = self.process.wait(timeout_s)
        wait_until(lambda: not processes_of(self.mark), "every process to be gone")
        return code

    def end(self) -> None:
        """Whatever happens: leave nothing behind."""
        self.client.close()
        for process in processes_of(self.mark):
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def systems_below(folder: Path) -> Iterator[Callable[..., System]]:
    """Start Orpheus with `--set` settings, maybe a `config`; each is ended in the end."""
    systems: list[System] = []

    def start(*settings: str, **options: Any) -> System:
        own = folder / f"system-{len(systems)}"
        own.mkdir()
        systems.append(System(own, *settings, **options))
        return systems[-1]

    try:
        yield start
    finally:
        for system in systems:
            system.end()


@contextlib.contextmanager
def folder_on_disk(session: pytest.Session) -> Iterator[Path]:
    """A folder of a disk, which is kept if a test fails meanwhile."""
    folder, failed = Path(tempfile.mkdtemp(prefix="orpheus-", dir="/var/tmp")), session.testsfailed
    yield folder
    if session.testsfailed == failed:
        shutil.rmtree(folder)


@pytest.fixture
def on_disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    """As `tmp_path`, but never in memory: for what kills, or is about a disk."""
    with folder_on_disk(request.session) as folder:
        yield folder


@pytest.fixture
def start_system(tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Starts Orpheus for one test; see `systems_below`."""
    with systems_below(tmp_path) as start:
        yield start


@pytest.fixture
def system(start_system: Callable[..., System]) -> System:
    """Orpheus with two workers, ready."""
    started = start_system("pools.default.workers=2")
    started.wait_until_ready()
    return started
