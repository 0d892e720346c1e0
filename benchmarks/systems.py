"""A system under test: its server, its client, its workers, and the log of what its jobs did."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from benchmarks import servers
from benchmarks.catalog import Entry
from benchmarks.effects import Effects
from benchmarks.servers import NotMeasured, Server

ROOT = Path(__file__).parents[1]
GIVE_UP_S = 180.0


def missing(entry: Entry) -> str:
    """Return which package of a system is not installed; "" if all are."""
    for package in entry.packages:
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            return f"package {package} not installed"
    return ""


class System:
    """One system in a folder of its own. `jobs`: the largest number that it is given, and one."""

    def __init__(self, entry: Entry, folder: Path, server: Server, jobs: int) -> None:
        self.entry = entry
        self.folder = folder
        self.effects = Effects(folder / "effects", jobs)
        self.effects.folder.mkdir()
        self.server = server
        self._log = folder / "log"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")},
            **self.effects.environment(),
            "BENCHMARK_FOLDER": str(folder),
            "BENCHMARK_SETTINGS": entry.variant,
            "BENCHMARK_SERVER": server.url,
        }
        self._workers: list[subprocess.Popen[bytes]] = []
        self._client = self._start_client()

    def _start_client(self) -> subprocess.Popen[str]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "benchmarks.subjects.client", self.entry.module],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, *command: object) -> Any:
        """Let the client do something; what it answers."""
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        self._client.stdin.write(json.dumps(command) + "\n")
        self._client.stdin.flush()
        answer = self._client.stdout.readline()
        if not answer:
            raise self._failed("its client ended")
        return json.loads(answer)

    def start_workers(self) -> None:
        with self._log.open("ab") as log:
            self._workers = [
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                for command in self.ask("workers")
            ]

    def wait_until_done(self, first: int, count: int) -> float:
        """Wait until these jobs have run and the system knows it; when that was."""
        self.wait(lambda: self.effects.seen(first, count) >= count)
        self.wait(lambda: self.ask("left") == 0)
        return time.monotonic()

    def wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + GIVE_UP_S
        while not condition():
            if any(worker.poll() is not None for worker in self._workers):
                raise self._failed("a worker ended")
            if time.monotonic() > until:
                raise self._failed(f"not done after {GIVE_UP_S:.0f} s")
            time.sleep(0.01)

    def _failed(self, reason: str) -> NotMeasured:
        end = self._log.read_text(errors="replace")[-2_000:]
        return NotMeasured(f"{reason}:\n{end}" if end else reason)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of its workers and of its server, and all that they started."""
        started = [*self._workers, *([self.server.process] if self.server.process else [])]
        tops = [psutil.Process(process.pid) for process in started]
        return [one for top in tops for one in (top, *top.children(recursive=True))]

    def close(self) -> None:
        """End everything. Orpheus is asked to stop; what the others still do is of no interest."""
        asked = signal.SIGTERM if self.entry.module == "orpheus" else None
        for worker in self._workers:
            servers.stop(worker, asked)
        self._client.kill()
        self._client.communicate()


@contextmanager
def running(entry: Entry, jobs: int) -> Iterator[System]:
    """Make a system that may run `jobs` jobs, its workers not yet started.

    Raises NotMeasured if something that it needs is missing, or if it fails.
    """
    if lacks := missing(entry):
        raise NotMeasured(lacks)
    with servers.server(entry.server) as server, _folder() as folder:
        system = System(entry, folder, server, jobs)
        try:
            system.ask("prepare")
            yield system
        finally:
            system.close()


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder; what a killed process still writes there does not stop its removal."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
