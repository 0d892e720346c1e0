"""The running attempt: what its handler may touch, and what the worker's threads share about it.

The handler's side takes no lock, for the reason worker/attempt/job_log.py gives: each field is
written by one thread and read by others, in single steps.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.job_types.registry import JobCancelled, PermanentError
from orpheus.worker.attempt.job_log import JobLog, storable

_MOST_CHILDREN = 10_000
_LONGEST_MESSAGE_CHARS = 500
_HARD_DEADLINE_AFTER_TIMEOUT_S = 30.0


class Lookup(Protocol):
    """What a running job may ask of the database (worker/lookup.py)."""

    def results(self, job_id: int) -> dict[int, Any]:
        """The results of the jobs it depends on and that are done, by id."""

    def knows_type(self, name: str) -> bool:
        """Whether the job modules, as they were described last, define a type of that name."""

    def child(self, type: str, payload: Mapping[str, Any], **fields: Any) -> NewJob:
        """A job it wants to submit. Raises PermanentError, naming the field."""


class Running:
    """One attempt while it runs. Times are of `time.monotonic`, in seconds."""

    __slots__ = (
        "allowance_s",
        "cancelled",
        "children",
        "entered_at_s",
        "kill",
        "lease",
        "log",
        "lost",
        "on_stop",
        "progress",
        "stop_asked_at_s",
    )

    def __init__(self, lease: Lease, entered_at_s: float) -> None:
        self.lease = lease
        self.entered_at_s = entered_at_s
        self.cancelled = False
        """Somebody asked for the job to be cancelled."""
        self.lost = False
        """The lease is no longer ours: whatever the handler does is for nothing."""
        self.stop_asked_at_s: float | None = None
        """When the handler was told to stop, for one of these reasons."""
        self.log: JobLog | None = None
        """Made with the first line."""
        self.children: list[NewJob] = []
        """To be submitted with its success."""
        self.progress: tuple[float, str | None] | None = None
        """What was reported and is not stored yet."""
        self.on_stop: Callable[[], object] | None = None
        """Called, from another thread, when the handler should stop: cancels a coroutine."""
        self.kill: Callable[[], object] | None = None
        """Called, from any thread, before this process ends under the attempt: ends its program."""
        self.allowance_s = 0.0
        """So much longer it may take, past its timeout or a request to stop, to end a program."""

    def job_log(self) -> JobLog:
        """Its log."""
        if self.log is None:
            self.log = JobLog()
        return self.log

    def put_back_progress(self, progress: tuple[float, str | None]) -> None:
        """It could not be stored; what was reported since is newer."""
        if self.progress is None:
            self.progress = progress

    def cancel(self, now_s: float) -> None:
        """Somebody asked for the job to stop."""
        self.cancelled = True
        self._tell_to_stop(now_s)

    def lose(self, now_s: float) -> None:
        """Its lease is gone."""
        self.lost = True
        self._tell_to_stop(now_s)

    def hard_deadline_s(self, cancel_grace_s: float) -> float:
        """When the process must die if it still runs this attempt."""
        deadline_s = self.entered_at_s + self.lease.timeout_s + _HARD_DEADLINE_AFTER_TIMEOUT_S
        if self.stop_asked_at_s is not None:
            deadline_s = min(deadline_s, self.stop_asked_at_s + cancel_grace_s)
        return deadline_s + self.allowance_s

    def _tell_to_stop(self, now_s: float) -> None:
        if self.stop_asked_at_s is None:
            self.stop_asked_at_s = now_s
            on_stop = self.on_stop
            if on_stop is not None:
                with contextlib.suppress(RuntimeError):  # its event loop has just closed
                    on_stop()


class JobContext:
    """orpheus.shared.job_types.registry.Context, as handed to the handler."""

    __slots__ = ("_lookup", "_results", "_running", "attempt", "job_id")

    def __init__(self, running: Running, lookup: Lookup) -> None:
        self._running = running
        self._lookup = lookup
        self._results: dict[int, Any] | None = None
        self.job_id = running.lease.job_id
        self.attempt = running.lease.attempt

    @property
    def log(self) -> JobLog:
        """See Context."""
        return self._running.job_log()

    @property
    def results(self) -> dict[int, Any]:
        """See Context. Read when it is first asked for: most jobs depend on none."""
        if self._results is None:
            self._results = self._lookup.results(self.job_id)
        return self._results

    def progress(self, fraction: float, message: str | None = None) -> None:
        """See Context."""
        if math.isnan(fraction):
            raise ValueError("progress: the fraction is not a number; give one from 0 to 1")
        text = None if message is None else storable(str(message))[:_LONGEST_MESSAGE_CHARS]
        self._running.progress = (min(max(float(fraction), 0.0), 1.0), text)

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
        if len(self._running.children) >= _MOST_CHILDREN:
            raise PermanentError(f"enqueue: one job may submit {_MOST_CHILDREN:,} others at most")
        child = self._lookup.child(
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
        self._running.children.append(child)

    def check_cancelled(self) -> None:
        """See Context."""
        check_cancelled(self._running)


def check_cancelled(running: Running) -> None:
    """Raise JobCancelled if somebody asked for the job to stop, or if its lease is lost."""
    if running.cancelled:
        raise JobCancelled("somebody asked for this job to stop")
    if running.lost:
        raise JobCancelled("the lease on this job was lost: another worker may run it")
