"""The real `python -m supervisor` under test: started, struck, healed, and looked at.

Everything it starts carries a mark in its environment, by which it is found again, and ended,
whatever a test did to it. Faults strike single processes, by pid.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.chaos.histories import (
    MARK,
    ClientLog,
    Evidence,
    Look,
    Run,
    look_at_processes,
    processes_of,
    read_effects,
)
from tests.databases import make_database
from tests.machine import PATIENCE_S, freeze, wait_until

ROOT = Path(__file__).parents[2]
JOBS = Path(__file__).parent / "jobs"
_STARTED = re.compile(r"http://127\.0\.0\.1:(\d+)")

BEAT_TIMEOUT_S = 3.5  # more than the 2 s in which the supervisor sees whether one is stopped
LEASE_TTL_S = 7.5
START_TIMEOUT_S = 20  # on a busy machine, the API takes eight seconds
QUICK = {  # the shortest that the rules of configuration and two busy cores allow
    "heartbeats.interval": "600ms",
    "heartbeats.timeout": f"{BEAT_TIMEOUT_S}s",
    "leases.ttl": f"{LEASE_TTL_S}s",
    "leases.renew_every": "500ms",
    "jobs.modules": '["orpheus.worker.handlers", "chaos_jobs"]',
    "jobs.backoff_base": "500ms",  # the four as the simulation has them: its checks know them
    "jobs.backoff_factor": "2",
    "jobs.backoff_max": "4s",
    "jobs.backoff_jitter": "0.1",
    "jobs.cancel_grace": "1s",
    "supervisor.start_timeout": f"{START_TIMEOUT_S}s",
    "supervisor.stop_timeout": "4s",
    "supervisor.drain_timeout": "10s",
    "supervisor.shutdown_deadline": "10s",
    "supervisor.restart_backoff_max": "1s",
    "supervisor.crash_loop_failures": "1000",
    "pools.default.workers": "2",
}


until = wait_until

SHOWN: list[str] = []
"""What the end of a pytest run tells (conftest.py)."""


def show(text: str) -> None:
    """Have it stand at the end of the run, and beside the failure if there is one."""
    SHOWN.append(text)
    sys.stdout.write(f"{text}\n")


def lives(process: psutil.Process) -> bool:
    """It is there, and no zombie: whoever adopted it may take its time to reap it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Orpheus:
    """One database, and whoever works on it at the moment. Settings as of `--set`."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, str],
        launcher: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        *,
        by_file: bool = False,
        program: Sequence[str] = ("orpheus.supervisor",),
    ) -> None:
        """`program`: what `python -m` runs, in the folder `root`."""
        self.folder = folder
        self.root = ROOT
        self.database = folder / "data" / "orpheus.db"
        self.mark = uuid.uuid4().hex
        self.settings = {**QUICK, **settings}
        self.launcher = tuple(launcher)
        self.program = tuple(program)
        self._file = folder / "orpheus.toml" if by_file else None
        self.port = 0
        self._environment = {"CHAOS_FOLDER": str(folder), **(environment or {})}
        self.effects = Path(self._environment["CHAOS_FOLDER"]) / "effects"
        self._log = folder / "log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._stopped: set[psutil.Process] = set()
        if not launcher and "database.url" not in self.settings:  # it may mount another disk there
            make_database(f"sqlite:///{self.database}")
        self.start()
        self.client = httpx2.Client(base_url=self.url, timeout=40, trust_env=False, verify=False)

    # Starting and ending

    def spawn(self) -> subprocess.Popen[bytes]:
        """A supervisor, whatever becomes of it."""
        settings = {"database.url": f"sqlite:///{self.database}", "api.port": str(self.port)}
        argv = [*self.launcher, sys.executable, "-m", *self.program]
        if self._file is None:
            settings |= self.settings
        else:
            self.configure({})
            argv += ["--config", str(self._file)]
        argv += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
        environment |= {MARK: self.mark, "PYTHONPATH": str(JOBS)}
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environment, **self._environment},
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def configure(self, settings: dict[str, str]) -> None:
        """Save the file with these settings changed, in one step as editors do."""
        assert self._file is not None
        self.settings |= settings
        draft = self._file.with_suffix(".draft")
        draft.write_text("".join(f"{key} = {_toml(self.settings[key])}\n" for key in self.settings))
        draft.replace(self._file)

    def start(self) -> None:
        """Start it, and wait until it says where it listens: as good as ready."""
        log_at = len(self.log())
        process = self.spawn()

        def address() -> re.Match[str] | None:
            if process.poll() is not None:
                pytest.fail(f"the supervisor ended with {process.returncode}:\n{self.log()}")
            return _STARTED.search(self.log(), log_at)

        self.port = int(until(address, "the address in the log")[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def until_healed(self) -> None:
        """Whatever was done to it: it is started, nothing stands still, every slot is ready."""
        self.thaw_all()
        if self.process.poll() is not None:
            self.start()
        self.until_ready()
        until(self._all_live, "every process that the API tells of to be there")
        self.until_ready()

    def _all_live(self) -> bool:
        """The API tells of a process that has just been killed as it was before."""
        try:
            return all(psutil.pid_exists(one["pid"] or 0) for one in self.workers().values())
        except (httpx2.TransportError, AssertionError):
            return False

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The supervisor that was started last."""
        return self._processes[-1]

    @property
    def supervisor(self) -> psutil.Process:
        """Its process: what a launcher started, where there is one that stays."""
        found = psutil.Process(self.process.pid)
        if self.launcher and found.cmdline()[: len(self.launcher)] == list(self.launcher):
            [found] = until(found.children, "the launcher's child")
        return found

    def stop(self, signal_number: int = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> int:
        """Stop it and see that no process is left; its exit code."""
        if self.process.poll() is None:
            self.supervisor.send_signal(signal_number)
        code = self.process.wait(timeout_s)
        until(lambda: not processes_of(self.mark), "every process to be gone")
        return code

    def end(self) -> None:
        """Whatever happens: leave nothing behind."""
        self.client.close()
        while left := processes_of(self.mark):
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            threading.Event().wait(0.01)
        for started in self._processes:
            started.wait(PATIENCE_S)

    def log(self) -> str:
        """Everything it and its children have printed."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    # Talking to it

    def get(self, path: str) -> Any:
        """The JSON that GET answers."""
        answer = self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def workers(self) -> dict[str, dict[str, Any]]:
        """The slots, by name."""
        return {one["slot"]: one for one in self.get("/workers")["items"]}

    def slot(self, name: str = "default-1") -> dict[str, Any]:
        """One of them."""
        return self.workers()[name]

    def until_state(self, state: str, name: str = "default-1", not_pid: int = 0) -> dict[str, Any]:
        """Wait for a slot to be in `state`, with another process than `not_pid`."""

        def reached() -> dict[str, Any] | None:
            try:
                slot = self.workers().get(name)
            except (httpx2.TransportError, AssertionError):  # the API may have been struck
                return None
            return slot if slot and slot["state"] == state and slot["pid"] != not_pid else None

        found = until(reached, f"{name} to be {state}, another than {not_pid}")
        assert isinstance(found, dict)
        return found

    def until_ready(self, timeout_s: float = PATIENCE_S) -> None:
        """Until every configured slot is ready; the API may be struck while we ask."""

        def ready() -> bool:
            try:
                slots = self.workers().values()
            except (httpx2.TransportError, AssertionError):
                return False
            return len(slots) > 2 and all(one["state"] == "ready" for one in slots)

        until(ready, "every slot to be ready", timeout_s)

    def submit(self, does: str = "nothing", **fields: Any) -> int:
        """Submit a job of chaos_jobs.asked; its id."""
        mine = {name: fields.pop(name) for name in ("max_retries", "timeout") if name in fields}
        payload = {"request": 0, "index": 0, "does": does, **fields}
        answer = self.client.post("/jobs", json={"type": "asked", "payload": payload, **mine})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def job(self, job_id: int) -> dict[str, Any]:
        """A job with its attempts."""
        found: dict[str, Any] = self.get(f"/jobs/{job_id}")
        return found

    def outcomes(self, job_id: int) -> list[str | None]:
        """How its attempts ended."""
        return [one["outcome"] for one in self.job(job_id)["attempts"]]

    def until_ended(self, job_id: int, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """A job once it is terminal."""

        def ended() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in ("done", "failed", "cancelled") else None

        job = until(ended, f"the end of job {job_id}", timeout_s)
        assert isinstance(job, dict)
        return job

    def until_entered(self, job_id: int, attempt: int = 1) -> Run:
        """The run of a job's code, once it has begun."""

        def begun() -> Run | None:
            runs = read_effects(self.effects)
            found = [run for run in runs if (run.job_id, run.attempt) == (job_id, attempt)]
            return found[0] if found else None

        run = until(begun, f"job {job_id} to be entered")
        assert isinstance(run, Run)
        return run

    # Striking

    def freeze(self, pid: int) -> psutil.Process:
        """SIGSTOP, and wait until it stands."""
        process = psutil.Process(pid)
        self._stopped.add(process)
        with contextlib.suppress(ProcessLookupError):
            freeze(pid)
        return process

    def thaw_all(self) -> None:
        """SIGCONT to all that was stopped and still lives."""
        for process in self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        self._stopped.clear()

    def kill_supervisor(self) -> None:
        """SIGKILL it; its children are left as they are."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.supervisor.kill()
        self.process.wait(PATIENCE_S)

    def kill_everything(self) -> None:
        """SIGKILL all of it, the supervisor first."""
        self.kill_supervisor()
        for process in processes_of(self.mark):
            with contextlib.suppress(psutil.Error):
                process.kill()

    # Looking at it

    def until_drained(self, bound_s: float) -> float:
        """How long it took until no job was live."""
        began_s = time.monotonic()

        def drained() -> bool:
            try:
                counts = self.get("/stats")["counts"]
            except (httpx2.TransportError, AssertionError):
                return False
            return not (counts["pending"] or counts["in_progress"] or counts["blocked"])

        until(drained, f"every job to end: {self.log()[-2000:]}", bound_s)
        return time.monotonic() - began_s

    @contextlib.contextmanager
    def evidence(
        self,
        clients: ClientLog,
        seen_seqs: list[int],
        *,
        supervisor_fds: int,
        drained_s: float,
        drain_bound_s: float,
        secret: str,
    ) -> Iterator[Evidence]:
        """All that is known of it, healed and drained."""
        slots = self.workers()
        expected = {
            name: (one["pid"], one["incarnation"])
            for name, one in slots.items()
            if name != "supervisor"
        }
        pid = self.supervisor.pid
        wal = Path(f"{self.database}-wal")
        with Look(self.database) as tables:
            yield Evidence(
                tables=tables,
                events=tables.look(
                    "SELECT seq, at_ms, kind, job_id, body FROM events ORDER BY seq"
                ),
                clients=clients,
                runs=read_effects(self.effects),
                seen_seqs=seen_seqs,
                processes=look_at_processes(self.mark, pid),
                expected=expected,
                supervisor_pid=pid,
                supervisor_fds=supervisor_fds,
                log=self.log(),
                secret=secret,
                wal_bytes=wal.stat().st_size if wal.exists() else 0,
                drained_s=drained_s,
                drain_bound_s=drain_bound_s,
            )


def _toml(value: str) -> str:
    """As `--set` takes it: TOML, else text."""
    try:
        tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        return f'"{value}"'
    return value
