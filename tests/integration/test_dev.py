"""`orpheus dev`: from an empty folder to a job that is changed, broken and mended."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import MARK, ROOT, STARTED, processes_of
from tests.integration.commands import command
from tests.machine import wait_until

PAGE = (ROOT / "docs" / "dev.md").read_text(encoding="utf-8")
GREET = PAGE.partition("```python\n")[2].partition("```")[0]
STOPS = """import sys
import time

from orpheus import job


@job(timeout="0.2s", max_retries=0)
def greet(name: str) -> str:
    if sys.stdout.isatty():  # of the debugger
        time.sleep(0.3)
    breakpoint()
    return f"Hello, {name}!"
"""
SLOW = """import time

from orpheus import job


@job(max_retries=0)
def slow() -> str:
    time.sleep(600)
    return "old"
"""


class Dev:
    """`orpheus dev` in a folder. With `terminal`, it runs on one."""

    def __init__(self, folder: Path, *arguments: str, terminal: bool = False) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self._log = b""
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self.fd = ours
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orpheus.supervisor", *arguments],
            cwd=folder,
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
            | {MARK: self.mark, "PWD": str(folder)},
            start_new_session=True,
        )
        os.close(theirs)

    def log(self) -> str:
        """Everything that it and its children have printed."""
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65_536)
            except OSError:  # a terminal whose last user has gone
                break
            self._log += data
            if not data:
                break
        return self._log.decode()

    def wait_for(self, *texts: str) -> str:
        """Wait until the log has these texts; return it."""

        def found() -> str | None:
            log = self.log()
            return log if all(text in log for text in texts) else None

        log: str = wait_until(found, f"{texts} in the log")
        return log

    def url(self) -> str:
        match = STARTED.search(self.wait_for("Orpheus is running"))
        assert match
        return match[1]

    def get(self, path: str) -> Any:
        return httpx2.get(self.url() + path, trust_env=False).json()

    def run_job(self, type: str, **payload: Any) -> Any:
        """The job of a type that ends soon; its type may still have to be loaded."""

        def submitted() -> httpx2.Response | None:
            body = {"type": type, "payload": payload}
            answer = httpx2.post(f"{self.url()}/jobs", json=body, trust_env=False)
            return answer if answer.status_code == 201 else None

        return self.get(f"{wait_until(submitted, type).headers['location']}?wait=20")

    def save(self, text: str, name: str = "jobs.py") -> None:
        """As editors do: a new file in the place of the old one."""
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.replace(self.folder / name)

    def wait_for_result(self, result: object) -> None:
        wait_until(lambda: self.run_job("greet", name="Ada")["result"] == result, str(result))

    def end(self) -> None:
        for process in processes_of(self.mark):
            process.kill()
        self.process.wait(10)
        os.close(self.fd)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Dev]]:
    """Start `orpheus dev` in an own folder, on a free port."""
    started: list[Dev] = []

    def start_one(*arguments: str, **options: Any) -> Dev:
        arguments = arguments or ("dev", "--set", "api.port=0")
        started.append(Dev(tmp_path, *arguments, **options))
        return started[-1]

    yield start_one
    for dev in started:
        dev.end()


def test_from_an_empty_folder_to_a_job_that_is_changed_broken_and_mended(
    start: Callable[..., Dev], tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    dev = start()
    dev.wait_for("Orpheus is running", "no job module yet", "api_ready")
    assert (tmp_path / ".orpheus" / ".gitignore").read_text() == "*\n"
    dev.save(GREET)
    dev.wait_for_result("Hello, Ada!")
    dev.wait_for("greet#1 started", "greet#1 greeting Ada", "done in", '"Hello, Ada!"')

    dev.save(STOPS)
    wait_until(lambda: dev.run_job("greet", name="Ada")["status"] == "failed", "the refusal")
    dev.wait_for("PermanentError: breakpoint() needs the terminal: run `orpheus dev --debug`")

    dev.save(GREET.replace("Hello", "Hi"))
    dev.wait_for_result("Hi, Ada!")

    dev.save(f"import no_such_module\n{GREET}")
    log = dev.wait_for("code_rejected", "No module named 'no_such_module'")
    assert "\n    Traceback (most recent call last):\n" in log
    dev.wait_for_result("Hi, Ada!")
    monkeypatch.chdir(tmp_path)
    status = command(capsys, "status")
    assert (status.returncode, "No module named 'no_such_module'" in status.stdout) == (1, True)

    # As if it had been broken between the check and the start of the workers.
    dev.save("import sys\nassert '--control-fd' not in sys.argv\n" + GREET)
    dev.wait_for("worker_fatal")
    dev.wait_for_result("Hi, Ada!")
    # The supervisor writes the event before the row that `status` reads.
    wait_until(
        lambda: "its replacement does not start" in command(capsys, "status").stdout, "its trouble"
    )

    dev.save(GREET.replace("Hello", "Hey"))
    dev.wait_for_result("Hey, Ada!")
    status = command(capsys, "status")
    assert not any(text in status.stdout for text in ("not in force", "does not start"))
    dev.process.send_signal(signal.SIGINT)
    assert dev.process.wait(20) == 0


def test_a_job_that_runs_on_is_released_and_spends_no_retry(start: Callable[..., Dev]) -> None:
    dev = start("dev", "--set", "api.port=0", "--set", "supervisor.drain_timeout=0.1")
    dev.save(SLOW)
    body = {"type": "slow"}
    wait_until(
        lambda: httpx2.post(f"{dev.url()}/jobs", json=body, trust_env=False).status_code == 201,
        "the type to be known",
    )
    wait_until(lambda: dev.get("/jobs/1")["status"] == "in_progress", "it to run")
    dev.save(SLOW.replace("600", "0").replace("old", "new"))
    job = wait_until(lambda: (j := dev.get("/jobs/1"))["status"] == "done" and j, "its end")
    outcomes = [attempt["outcome"] for attempt in job["attempts"]]
    assert (outcomes, job["result"]) == (["released", "succeeded"], "new")


def test_code_that_does_not_import_at_the_start_is_waited_for_and_a_port_in_use_is_left(
    start: Callable[..., Dev], tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "jobs.py").write_text("import no_such_module\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        dev = start("dev", "shop/jobs.py", "--set", f"api.port={port}")
        dev.wait_for("No module named 'no_such_module'", f"port {port} is in use")
        dev.wait_for("no worker runs until the job modules import")
        assert not dev.url().endswith(f":{port}")
        slots = {row["slot"] for row in dev.get("/workers")["items"]}
        assert slots == {"api", "supervisor"}
        dev.save(GREET, "shop/jobs.py")
        dev.wait_for_result("Hello, Ada!")


def test_what_is_in_the_way_of_its_folder_is_named(
    start: Callable[..., Dev], tmp_path: Path
) -> None:
    (tmp_path / ".orpheus").write_text("")
    dev = start()
    assert dev.process.wait(20) == 74
    assert "cannot make .orpheus: File exists" in dev.log()


def test_breakpoint_opens_the_debugger_and_the_job_has_no_timeout(
    start: Callable[..., Dev], tmp_path: Path
) -> None:
    (tmp_path / "jobs.py").write_text(STOPS)
    dev = start("dev", "--debug", "--set", "api.port=0", terminal=True)
    dev.wait_for("breakpoint() in a job opens the debugger here")
    job = {"type": "greet", "payload": {"name": "Ada"}}
    httpx2.post(f"{dev.url()}/jobs", json=job, trust_env=False)
    dev.wait_for("(Pdb)")
    os.write(dev.fd, b"name = 'Bob'\n")
    os.write(dev.fd, b"continue\n")
    dev.wait_for("greet#1\x1b[0m", "done in")
    assert dev.get("/jobs/1")["result"] == "Hello, Bob!"
    assert [row["slot"] for row in dev.get("/workers")["items"]] == [
        "api",
        "default-1",
        "supervisor",
    ]


def test_jobs_watch_reloads_code_without_dev_too(start: Callable[..., Dev], tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(GREET)
    (tmp_path / "orpheus.toml").write_text("[jobs]\nmodules = ['jobs']\nwatch = true\n")
    dev = start("--set", "api.port=0")
    dev.wait_for_result("Hello, Ada!")
    dev.save(GREET.replace("Hello", "Hi"))
    dev.wait_for_result("Hi, Ada!")
