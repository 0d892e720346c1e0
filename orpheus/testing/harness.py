"""Jobs in a store of their own, run in the test's process, with a clock that the test moves."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from math import ceil, inf, isfinite
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack, overload

from msgspec.structs import replace

from orpheus.client.blocking import Client
from orpheus.client.database import DatabaseCalls
from orpheus.client.steps import Pause, Step, Use
from orpheus.shared.domain.commands import describe_command
from orpheus.shared.domain.jobs import Holder, Lease, Outcome, Status
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import WaitTimedOut
from orpheus.shared.job_types.describe import type_row
from orpheus.shared.job_types.registry import JobType, load_job_types, registered_types
from orpheus.shared.job_types.request import JobRequest, Options
from orpheus.shared.messages.jobs import Job, JobState
from orpheus.shared.operations.schedules import fire_schedules
from orpheus.shared.operations.stored_settings import write_settings
from orpheus.shared.operations.upkeep import continue_cascades, wake_functions
from orpheus.shared.process.one_at_a_time import OneAtATime
from orpheus.shared.storage import TypeRow, open_store
from orpheus.testing.attempts import job_type_of, run_attempt
from orpheus.testing.clock import MovedClock
from orpheus.testing.database import make_database, temporary_folder
from orpheus.testing.settings import harness_settings
from orpheus.worker.attempt.around import load_around
from orpheus.worker.attempt.command import CommandType
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.database_queries import DatabaseQueries
from orpheus.worker.leasing.held_leases import store_reports

R = TypeVar("R")

_HOLDER = Holder("test-1", "testing", os.getpid())
_LEASE_MS = 365 * 86_400_000
_MOST_ATTEMPTS = 10_000
_FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT)
_rows: dict[JobType, TypeRow] = {}
"""The descriptions of the job types of this process: pydantic takes milliseconds for each."""


class Harness:
    """A store in a temporary folder, with what runs its jobs and a clock that stands still.

    It has the job types of every imported module, and those of `[jobs] modules`; queues, schedules,
    defaults and commands are those of the configuration. A job runs when the test says so, in the
    test's own thread. Timeouts of functions that are not `async def` are not enforced.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        *,
        modules: Iterable[str] = (),
        folder: Path | None = None,
    ) -> None:
        """Make the store.

        `config`: the configuration of the project; None: the one that commands find, else the
        defaults. `modules`: more modules with job types. `folder`:
        where the database is; None: a folder that is deleted by `close`.
        """
        with ExitStack() as stack:  # closes everything if a later step fails, such as an import
            if folder is None:
                folder = Path(stack.enter_context(temporary_folder()))
            self._settings = settings = harness_settings(config, folder)
            self._clock = MovedClock()
            self._calls = OneAtATime("harness")
            storage = settings.client.storage
            make_database(storage.url)
            opened = partial(
                open_store,
                storage.url,
                durable=False,
                backoff=storage.backoff,
                clock=self._clock,
                hide=None,  # tests look at what is hidden from operators
            )
            self._store = opened()
            stack.callback(self._store.close)
            self._queries = DatabaseQueries(settings.worker, {}, opened)
            stack.callback(self._queries.close)
            self._commands = {
                command.name: CommandType(command, settings.worker.cancel_grace_s)
                for command in settings.worker.commands
            }
            self._described: Mapping[str, JobType] = {}
            _import([*settings.worker.modules, *modules])
            self._around = load_around(settings.worker.around)
            self._describe_types()
            write_settings(self._store, settings.stored)
            self.config = settings.write(folder / "orpheus.toml")
            """A configuration with this database, for `Client(config=…)` in the application."""
            self._stack = stack.pop_all()
        self.client: Client = _HarnessClient(self)
        """A client on this database, for code that takes one. Its `wait` runs the jobs."""

    @property
    def now(self) -> datetime:
        """The time of the harness, in UTC."""
        return self._clock.now()

    # What is submitted

    @overload
    def submit(self, job: JobRequest[R], **options: Unpack[Options]) -> Job[R]: ...

    @overload
    def submit(
        self, job: str, payload: Mapping[str, Any] | None = None, **options: Unpack[Options]
    ) -> Job[Any]: ...

    def submit(
        self,
        job: Any,
        payload: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Job:
        """Submit a job, as `Client.submit` does."""
        return self.client.submit(job, payload, **options)

    def submit_many(self, jobs: Iterable[JobRequest]) -> list[int]:
        """Submit jobs in one commit, as `Client.submit_many` does."""
        return self.client.submit_many(jobs)

    @overload
    def get(self, job: Job[R]) -> Job[R]: ...

    @overload
    def get(self, job: JobState | int) -> Job[Any]: ...

    def get(self, job: JobState | int) -> Job:
        """Return the job as it is now, with its attempts. Raises NotFound."""
        return self.client.get(job)

    def jobs(
        self,
        *,
        status: Status | str | None = None,
        type: str | None = None,
        queue: str | None = None,
        tag: str | None = None,
    ) -> list[Job]:
        """Return the jobs that match, newest first."""
        return list(self.client.jobs(status=status, type=type, queue=queue, tag=tag))

    def assert_submitted(self, job: Callable[..., Any] | str, /, **payload: Any) -> Job:
        """Return the newest job of this type whose payload has at least these fields.

        If no job matches, raises AssertionError listing the jobs of this type. Raises TypeError for
        a field that the function does not have.
        """
        name, wanted = self._wanted(job, payload)
        jobs = self.jobs(type=name)
        for found in jobs:
            if all(key in found.payload and found.payload[key] == wanted[key] for key in wanted):
                return found
        payloads = "".join(f"\n  {found.payload}" for found in jobs)
        others = (
            f"the jobs of this type are:{payloads}" if jobs else "there are no jobs of this type"
        )
        raise AssertionError(f"no job {name} with {wanted} was submitted; {others}")

    def assert_not_submitted(self, job: Callable[..., Any] | str, /, **payload: Any) -> None:
        """Raise AssertionError if there is a job of this type whose payload has at least these."""
        try:
            found = self.assert_submitted(job, **payload)
        except AssertionError:
            return
        raise AssertionError(f"job {found.id} was submitted: {found.type} {found.payload}")

    def assert_no_errors(self) -> None:
        """Raise AssertionError, with its traceback, for each job whose last attempt failed."""
        with_error = [self.get(job) for job in self.jobs() if job.error is not None]
        failed = [
            job for job in with_error if job.attempts and job.attempts[-1].outcome in _FAILURES
        ]
        if failed:
            raise AssertionError("\n".join(map(_shown, failed)))

    def _wanted(
        self, job: Callable[..., Any] | str, payload: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """Return the type's name and the fields in JSON form (dates as strings).

        If `job` is a name, the fields must already be JSON.
        """
        if not isinstance(job, str):
            job_type = job_type_of(job)
            return job_type.name, job_type.fields_of(payload)
        return job, json.loads(json.dumps(payload))

    # What runs

    def run_until_idle(self) -> int:
        """Run every due job, and jobs that become due as a result; return how many ran.

        Retries and delayed jobs wait for `advance`. Raises AssertionError after 10,000 attempts.
        """
        for ran in range(_MOST_ATTEMPTS):
            self._describe_types()
            fire_schedules(self._store, self._settings.stored)
            while continue_cascades(self._store) or wake_functions(self._store):
                pass
            leases = self._store.leases.lease(_HOLDER, ("*",), 1, _LEASE_MS)
            if not leases:
                return ran
            self._run(leases[0])
        raise AssertionError(
            f"still busy after {_MOST_ATTEMPTS:,} attempts: "
            "jobs may be submitting each other endlessly"
        )

    def advance(self, duration: float | str | timedelta) -> int:
        """Let so much time pass, running what becomes due when it does; return how many ran."""
        until_ms = self._clock.wall_ms() + round(parse_duration_s(duration) * 1000)
        ran = self.run_until_idle()
        while (due_ms := self._next_ms()) <= until_ms:
            self._clock.move_to(ceil(due_ms))
            ran += self.run_until_idle()
        self._clock.move_to(until_ms)
        return ran + self.run_until_idle()

    def step(self) -> bool:
        """Run what is due; else move the clock to the next due time. False: there is none."""
        if self.run_until_idle():
            return True
        due_ms = self._next_ms()
        if not isfinite(due_ms):
            return False
        self._clock.move_to(ceil(due_ms))
        return True

    def use(self, step: Use) -> Any:
        """Do the work of a client's step on the store."""
        return self._calls.run(lambda: self._use(step))

    def _use(self, step: Use) -> Any:
        self._describe_types()
        return step.work(self._store)

    def close(self) -> None:
        """Close the store, and delete its folder if the harness made it."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, lease: Lease) -> None:
        attempt = RunningAttempt(lease, time.monotonic())
        finished = run_attempt(
            attempt, self._described, self._queries, self._commands, self._around
        )
        store_reports(self._store, [(finished, attempt)], lambda: None)

    def _next_ms(self) -> float:
        """Return the next future due time, or infinity."""
        now_ms = self._clock.wall_ms()
        tick_ms = now_ms + 1000 * fire_schedules(self._store, self._settings.stored)
        times_ms = (
            tick_ms,
            self._store.leases.next_due_ms(),
            self._store.signals.next_timeout_ms(),
        )
        return min(
            (at_ms for at_ms in times_ms if at_ms is not None and at_ms > now_ms), default=inf
        )

    def _describe_types(self) -> None:
        """Store the job types, if a module was imported since the last time."""
        types = registered_types()
        if types == self._described:
            return
        for job_type in types.values():
            if job_type not in _rows:
                _rows[job_type] = replace(type_row(job_type.describe()), backoff_jitter=0.0)
        rows = [_rows[job_type] for job_type in types.values()]
        rows += [type_row(describe_command(command)) for command in self._settings.worker.commands]
        self._store.types.replace(rows)
        self._described = types


class _HarnessClient(Client):
    """A client on the store of a harness. Instead of waiting, it lets the harness run jobs."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._calls = DatabaseCalls(harness._settings.client)  # noqa: SLF001 - same module
        self._is_closed = False

    def close(self) -> None:
        """Leave it open: the harness closes its store."""

    def _now_ms(self) -> int:
        return round(self._harness.now.timestamp() * 1000)

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Use):
            return self._harness.use(step)
        assert isinstance(step, Pause)
        if not self._harness.step():
            raise WaitTimedOut("the job cannot finish: no job can run, now or in the future")
        return None


def _shown(job: Job) -> str:
    error = job.attempts[-1].error
    assert error is not None
    text = f"{error.type}: {error.message}\n{error.traceback or ''}"
    return f"job {job.id} {job.type} {job.payload}: {text}"


def _import(modules: Iterable[str]) -> None:
    """Import modules with job types, from the current directory too, as a worker does."""
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    load_job_types(modules)
