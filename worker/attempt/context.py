"""The running attempt: what its handler may use, and what the worker's threads share about it.

The handler's side takes no lock, for the reason given in worker/attempt/job_log.py: each field is
written by one thread and read by others, in single steps.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.job_types.registry import JobCancelled, PermanentError
from orpheus.shared.text import storable
from orpheus.worker.attempt.job_log import JobLog

_MAX_CHILDREN = 10_000
_MAX_MESSAGE_CHARS = 500
_HARD_DEADLINE_AFTER_TIMEOUT_S = 30.0


class JobQueries(Protocol):
    """What a running job may ask the database (worker/database_queries.py)."""

    def dependency_results(self, job_id: int) -> dict[int, Any]:
        """Return the results of the jobs that it depends on and that are done, by id."""

    def has_type(self, name: str) -> bool:
        """Return whether the newest description of the job modules has a type of that name."""

    def prepare_child(self, type: str, payload: Mapping[str, Any], **fields: Any) -> NewJob:
        """Check a job that the handler wants to submit. Raises PermanentError, naming the field."""


@dataclass(slots=True, eq=False)
class RunningAttempt:
    """An attempt while its code runs. Times are seconds of `time.monotonic`."""

    lease: Lease
    started_at_s: float
    cancel_requested: bool = False
    """An operator or client has cancelled the job."""
    lease_lost: bool = False
    """Another worker may have the job by now: the result of this attempt will be refused."""
    stop_requested_at_s: float | None = None
    """When the handler was first asked to stop, for either of these reasons."""
    log: JobLog | None = None
    """Created with the first line."""
    children: list[NewJob] = field(default_factory=list)
    """Jobs to submit if the attempt succeeds."""
    unsaved_progress: tuple[float, str | None] | None = None
    """The progress that the handler reported and that is not stored yet."""
    on_stop: Callable[[], object] | None = None
    """Called from another thread when the handler should stop: cancels a coroutine."""
    kill_program: Callable[[], object] | None = None
    """Called from any thread before this process exits: ends the program that the attempt runs."""
    extra_time_s: float = 0.0
    """Added to the hard deadline: the time that it may take to end a program."""

    def job_log(self) -> JobLog:
        """Return the attempt's log, which is created when it is first used."""
        if self.log is None:
            self.log = JobLog()
        return self.log

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


class JobContext:
    """The Context that is handed to a handler (shared/job_types/registry.py)."""

    __slots__ = ("_attempt", "_queries", "_results", "attempt", "job_id")

    def __init__(self, attempt: RunningAttempt, queries: JobQueries) -> None:
        self._attempt = attempt
        self._queries = queries
        self._results: dict[int, Any] | None = None
        self.job_id = attempt.lease.job_id
        self.attempt = attempt.lease.attempt

    @property
    def log(self) -> JobLog:
        """See Context."""
        return self._attempt.job_log()

    @property
    def results(self) -> dict[int, Any]:
        """See Context. Read from the database at the first use: most jobs depend on none."""
        if self._results is None:
            self._results = self._queries.dependency_results(self.job_id)
        return self._results

    def progress(self, fraction: float, message: str | None = None) -> None:
        """See Context."""
        if math.isnan(fraction):
            raise ValueError("progress: the fraction is not a number; give one from 0 to 1")
        text = None if message is None else storable(str(message))[:_MAX_MESSAGE_CHARS]
        self._attempt.unsaved_progress = (min(max(float(fraction), 0.0), 1.0), text)

    def enqueue(
        self,
        type: str,
        payload: Mapping[str, Any] | None = None,
        *,
        queue: str | None = None,
        priority: int = 0,
        delay: str | float = 0,
        max_retries: int | None = None,
        timeout: str | float | None = None,
        unique_key: str | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        """See Context."""
        if len(self._attempt.children) >= _MAX_CHILDREN:
            raise PermanentError(f"enqueue: one job may submit {_MAX_CHILDREN:,} others at most")
        child = self._queries.prepare_child(
            type,
            {} if payload is None else payload,
            queue=queue,
            priority=priority,
            delay=delay,
            max_retries=max_retries,
            timeout=timeout,
            unique_key=unique_key,
            tags=tags,
        )
        self._attempt.children.append(child)

    def check_cancelled(self) -> None:
        """See Context."""
        check_cancelled(self._attempt)


def check_cancelled(attempt: RunningAttempt) -> None:
    """Raise JobCancelled if the job was cancelled, or if its lease is lost."""
    if attempt.cancel_requested:
        raise JobCancelled("the job was cancelled")
    if attempt.lease_lost:
        raise JobCancelled("the lease on this job was lost: another worker may run it")
