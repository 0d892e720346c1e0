"""The running attempt: what its handler may use, and what the worker's threads share about it.

The handler's side takes no lock, for the reason given in worker/attempt/job_log.py: each field is
written by one thread and read by others, in single steps.
"""

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Protocol, Unpack

import msgspec

from orpheus.shared.domain.hidden import NO_RULES, Rules
from orpheus.shared.domain.jobs import Dependency, JobError, Lease, NewJob, NewLine
from orpheus.shared.domain.lifecycle import RunTimes
from orpheus.shared.domain.steps import KeptSteps, NewSignal, NewStep, Suspension
from orpheus.shared.job_types.context import (
    JobCancelled,
    JobFunction,
    PermanentError,
    Results,
    current_traceparent,
)
from orpheus.shared.job_types.registry import JobType
from orpheus.shared.job_types.request import JobRequest, Options, request_of
from orpheus.shared.process.last_lines import LineRing
from orpheus.shared.text import storable
from orpheus.worker.attempt.child_jobs import ChildJobs
from orpheus.worker.attempt.job_log import JobLog, LineEcho

_MAX_MESSAGE_CHARS = 500
_ROUNDING = 1e-6
"""By so much a sum of fractions may miss 0 or 1."""
_HARD_DEADLINE_AFTER_TIMEOUT_S = 30.0


class JobQueries(Protocol):
    """What a running job may ask the database (worker/database_queries.py)."""

    def dependencies(self, job_id: int) -> list[Dependency]:
        """Return the jobs that it depends on, as they are now."""

    def other_readers(self, lease: Lease, job_type: JobType | None) -> str | None:
        """Return the versions of a type that can read what this worker cannot; None: there is none.

        `job_type`: the type in the code of this worker; None: it has no such type.
        """

    def prepare_child(self, request: JobRequest) -> NewJob:
        """Check a job that the handler wants to submit. Raises PermanentError, naming the field."""

    def kept_steps(self, job_id: int) -> KeptSteps:
        """Return what a durable function has kept; long results are read by `step_result`."""

    def step_result(self, job_id: int, name: str) -> str:
        """Return the result of a kept step as JSON text."""

    def keep_step(self, lease: Lease, step: NewStep, forget: tuple[str, str] | None) -> bool:
        """Keep a step, unless the lease is lost (False). `forget`: see `Steps.keep`."""

    def signal_payload(self, name: str, key: str) -> str | None:
        """Return the payload of a signal as JSON text; None: it was not sent."""

    def gathered(self, job_ids: Sequence[int]) -> list[Dependency]:
        """Return the children of a gather as they are now."""


class LacksFiles(Exception):
    """The program of a job was not started, as this process may open no more files."""


class CannotFollow(ChildProcessError):
    """The program of a job was started, but had to be killed for the same reason."""


class RunningAttempt(msgspec.Struct, eq=False):
    """An attempt while its code runs. Times are seconds of `time.monotonic`."""

    lease: Lease
    started_at_s: float
    ended_at_s: float | None = None
    """When its code has returned."""
    cancel_requested: bool = False
    """An operator or client has cancelled the job."""
    lease_lost: bool = False
    """Another worker may have the job by now: the result of this attempt will be refused."""
    stop_requested_at_s: float | None = None
    """When the handler was first asked to stop, for either of these reasons."""
    ring: LineRing | None = None
    """Keeps the newest log lines, to be read after a crash."""
    log: JobLog | None = None
    """Created with the first line."""
    echo: LineEcho | None = None
    """Called with each log line."""
    rules: Rules = NO_RULES
    """Which fields no log of a process may show."""
    children: list[NewJob] = msgspec.field(default_factory=list)
    """Jobs to submit if the attempt succeeds."""
    signals: list[NewSignal] | None = None
    """Signals to send if the attempt succeeds."""
    suspension: Suspension | None = None
    """What a durable function has begun to wait for: its attempt is to end."""
    unsaved_progress: tuple[float, str | None] | None = None
    """The progress that the handler reported and that is not stored yet."""
    on_stop: Callable[[], object] | None = None
    """Called from another thread when the handler should stop: cancels a coroutine."""
    kill_program: Callable[[], object] | None = None
    """Called from any thread before this process exits: ends the program that the attempt runs."""
    note_overdue: Callable[[], object] | None = None
    """Called from another thread before this process is killed because of this attempt: marks it
    among the attempts that run.
    """
    step_span: Callable[[str], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
    """Records a step; does nothing without `[otel]`."""
    program_peak_kib: int | None = None
    """The most memory of the program that the attempt ran, in KiB."""
    extra_time_s: float = 0.0
    """Added to the hard deadline: the time to end a program, and the time for which another
    attempt has blocked the event loop.
    """

    def run_until(self, now_s: float) -> RunTimes:
        """Return how long before now its code started and ended: it may still run."""
        ended_at_s = now_s if self.ended_at_s is None else self.ended_at_s
        # Both are rounded, so that attempts in a row have neither gaps nor overlaps.
        return RunTimes(
            round((now_s - self.started_at_s) * 1000), round((now_s - ended_at_s) * 1000)
        )

    def job_log(self) -> JobLog:
        """Return the attempt's log, which is created when it is first used."""
        if self.log is None:
            self.log = JobLog(self.lease.token, self.ring, self.echo, self.rules)
        return self.log

    def take_lines(self) -> list[NewLine]:
        """Remove and return the log lines that are not stored yet."""
        return [] if self.log is None else self.log.take()

    def take_progress(self) -> tuple[float, str | None] | None:
        """Remove and return the progress that is not stored yet."""
        progress, self.unsaved_progress = self.unsaved_progress, None
        return progress

    def restore_progress(self, progress: tuple[float, str | None]) -> None:
        """Keep progress that could not be stored, unless the handler has reported newer."""
        if self.unsaved_progress is None:
            self.unsaved_progress = progress

    def request_cancel(self, now_s: float) -> None:
        """Ask the handler to stop, because the job was cancelled."""
        self.cancel_requested = True
        self._request_stop(now_s)

    def mark_lease_lost(self, now_s: float) -> None:
        """Ask the handler to stop, because the lease is lost."""
        self.lease_lost = True
        self._request_stop(now_s)

    def hard_deadline_s(self, cancel_grace_s: float) -> float:
        """Return when the process must be killed if it still runs this attempt."""
        deadline_s = self.started_at_s + self.lease.timeout_s + _HARD_DEADLINE_AFTER_TIMEOUT_S
        if self.stop_requested_at_s is not None:
            deadline_s = min(deadline_s, self.stop_requested_at_s + cancel_grace_s)
        return deadline_s + self.extra_time_s

    def _request_stop(self, now_s: float) -> None:
        if self.stop_requested_at_s is None:
            self.stop_requested_at_s = now_s
            on_stop = self.on_stop
            if on_stop is not None:
                with contextlib.suppress(RuntimeError):  # its event loop has just closed
                    on_stop()


current_attempt: ContextVar[RunningAttempt | None] = ContextVar("current_attempt", default=None)
"""The attempt to which the running code belongs, in a worker that runs several at once.

Tasks that a coroutine starts and functions of `asyncio.to_thread` inherit it; threads that a
handler starts do not.
"""


class AttemptContext:
    """The Context of a handler (shared/job_types/context.py), without what makes it durable."""

    __slots__ = ("_attempt", "_children", "_queries", "_results", "attempt", "job_id")

    def __init__(self, attempt: RunningAttempt, queries: JobQueries) -> None:
        self._attempt = attempt
        self._queries = queries
        self._results: Results | None = None
        self._children = ChildJobs(attempt.children)
        self.job_id = attempt.lease.job_id
        self.attempt = attempt.lease.attempt

    @property
    def type(self) -> str:
        """See Context."""
        return self._attempt.lease.type

    @property
    def queue(self) -> str:
        """See Context."""
        return self._attempt.lease.queue

    @property
    def traceparent(self) -> str | None:
        """See Context."""
        return self._attempt.lease.traceparent

    @property
    def scheduled_at(self) -> datetime | None:
        """See Context."""
        at_ms = self._attempt.lease.scheduled_ms
        return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)

    @property
    def log(self) -> JobLog:
        """See Context."""
        return self._attempt.job_log()

    @property
    def results(self) -> Results:
        """See Context. They are read at the first use, as most jobs depend on none."""
        self._refuse_in_child("ctx.results")
        if self._results is None:
            self._results = Results(self._queries.dependencies(self.job_id))
        return self._results

    def attempt_error(self, dependency: int | str | JobFunction[..., Any]) -> JobError | None:
        """See Context."""
        return self.results.error(dependency)

    def progress(self, fraction: float, message: str | None = None) -> None:
        """See Context."""
        if not -_ROUNDING <= fraction <= 1 + _ROUNDING:  # so is NaN
            raise ValueError(f"progress: {fraction} is not a fraction; give a number from 0 to 1")
        self._refuse_in_child("ctx.progress")
        text = None if message is None else storable(str(message))[:_MAX_MESSAGE_CHARS]
        self._attempt.unsaved_progress = (min(max(float(fraction), 0.0), 1.0), text)

    def enqueue(
        self,
        job: JobRequest | str,
        payload: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> str:
        """See Context."""
        self._refuse_in_child("ctx.enqueue")
        try:
            request = request_of(job, payload, options)
        except ValueError as error:
            raise PermanentError(f"enqueue {error}") from None
        return self._children.add(request, self._queries.prepare_child, self._traceparent())

    def _traceparent(self) -> str | None:
        return current_traceparent() or self.traceparent

    def check_cancelled(self) -> None:
        """See Context."""
        check_cancelled(self._attempt)

    def _refuse_in_child(self, what: str) -> None:
        ring = self._attempt.ring
        if ring is not None and os.getpid() != ring.pid:
            raise RuntimeError(
                f"{what} works only in the process of the worker, not in one that its handler "
                "forked: call it before the fork, or send the value to the parent"
            )


def check_cancelled(attempt: RunningAttempt) -> None:
    """Raise JobCancelled if the job was cancelled, or if its lease is lost."""
    if attempt.cancel_requested:
        raise JobCancelled("the job was cancelled")
    if attempt.lease_lost:
        raise JobCancelled("the lease on this job was lost: another worker may run it")
