"""Runs one attempt of one job in the main thread and returns how it ended.

Every exception of a handler ends its attempt only, SystemExit and KeyboardInterrupt included:
nothing that a job raises ends the worker. This code makes no system call per job: short jobs would
run slower.
"""

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from orpheus.shared.domain.jobs import JobError, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.job_types.registry import (
    JobCancelled,
    JobTimeout,
    JobType,
    PermanentError,
    Snooze,
)
from orpheus.worker.attempt.alarm import Alarm
from orpheus.worker.attempt.context import JobContext, JobQueries, RunningAttempt
from orpheus.worker.attempt.outcomes import error_of, result_text

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType


class UnknownJobType(Exception):
    """No job module defines the type now; the job is retried, as a module may define it later."""


class OutdatedWorker(Exception):
    """The job modules define the type now, but this worker loaded older code."""


class Executor:
    """Runs attempts of the job types that it is given. Main thread only."""

    def __init__(
        self,
        types: Mapping[str, JobType],
        commands: Mapping[str, "CommandType"],
        alarm: Alarm,
        queries: JobQueries,
    ) -> None:
        self._types = types
        self._commands = commands
        self._alarm = alarm
        self._queries = queries
        self.is_outdated = False
        """A job had a type that the job modules define now, but that this worker does not have."""

    def run(self, attempt: RunningAttempt) -> Finished:
        """Run the attempt and return how it ended. Raises nothing."""
        try:
            try:
                result = result_text(self._run_code(attempt))
            finally:
                self._alarm.disarm()
            children = tuple(attempt.children)
            return Finished(attempt.lease, Ending.SUCCEEDED, result, children=children)
        except BaseException as error:  # noqa: BLE001 - see the module
            return self._ended_by(error, attempt.lease)
        finally:
            if attempt.log is not None:
                attempt.log.finish_line()

    def _run_code(self, attempt: RunningAttempt) -> Any:
        lease = attempt.lease
        command = self._commands.get(lease.type)
        if command is not None:
            return command.run(attempt)
        job_type = self._types.get(lease.type)
        if job_type is None:
            if self._queries.has_type(lease.type):
                raise OutdatedWorker
            raise UnknownJobType(
                f"no module in jobs.modules and no command is the job type {lease.type!r}"
            )
        context = JobContext(attempt, self._queries)
        if job_type.is_async:
            return _run_coroutine(job_type, attempt, context)
        self._alarm.arm(attempt.started_at_s, lease.timeout_s)
        return job_type.handler(context, **job_type.bind(lease.payload))

    def _ended_by(self, error: BaseException, lease: Lease) -> Finished:
        # After a timeout, the handler's own clean-up may raise something else.
        if isinstance(error, JobTimeout) or self._alarm.has_raised:
            message = f"it ran longer than its timeout of {lease.timeout_s:g} s"
            timeout = JobError("JobTimeout", message, error_of(error).traceback)
            return Finished(lease, Ending.TIMED_OUT, error=timeout)
        if isinstance(error, JobCancelled):
            return Finished(lease, Ending.CANCELLED)
        if isinstance(error, OutdatedWorker):
            # Releasing spends no retry: the process that replaces this one will know the type.
            self.is_outdated = True
            return Finished(lease, Ending.RELEASED)
        if isinstance(error, Snooze):
            return Finished(lease, Ending.SNOOZED, snooze_ms=round(error.delay_s * 1000))
        permanent = isinstance(error, PermanentError)
        ending = Ending.FAILED_PERMANENTLY if permanent else Ending.FAILED
        return Finished(lease, ending, error=error_of(error))


def _run_coroutine(job_type: JobType, attempt: RunningAttempt, context: JobContext) -> Any:
    import asyncio  # noqa: PLC0415 - 7 MB, only for workers with `async def` handlers

    async def run() -> Any:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        assert task is not None
        attempt.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
        context.check_cancelled()  # the request may have come before there was a task to cancel
        work: Coroutine[Any, Any, Any] = job_type.handler(
            context, **job_type.bind(attempt.lease.payload)
        )
        limit = asyncio.timeout(attempt.lease.timeout_s)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if limit.expired():
                raise JobTimeout from None
            raise
        except asyncio.CancelledError:
            context.check_cancelled()
            raise
        finally:
            attempt.on_stop = None

    return asyncio.run(run())
