"""One attempt of one job: run the handler in the main thread, and say how it ended.

Every exception of a handler is an ending, SystemExit and KeyboardInterrupt too: nothing that a job
raises ends the worker. No storage here, and nothing that costs a system call for each job.
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
from orpheus.worker.attempt.context import JobContext, Lookup, Running
from orpheus.worker.attempt.outcomes import error_of, result_text

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType


class UnknownJobType(Exception):
    """No job module defines the type any more; retried, as one may again."""


class OutdatedWorker(Exception):
    """The job modules define the type by now, but this worker has older code."""


class Executor:
    """Runs attempts of the job types it knows. Main thread only."""

    def __init__(
        self,
        types: Mapping[str, JobType],
        commands: Mapping[str, "CommandType"],
        alarm: Alarm,
        lookup: Lookup,
    ) -> None:
        self._types = types
        self._commands = commands
        self._alarm = alarm
        self._lookup = lookup
        self.is_outdated = False
        """It has met a type that the job modules define, and it does not know."""

    def run(self, running: Running) -> Finished:
        """Run the attempt to its end, whatever that is; raises nothing."""
        try:
            try:
                result = result_text(self._run_code(running))
            finally:
                self._alarm.unwatch()
            return Finished(
                running.lease, Ending.SUCCEEDED, result, children=tuple(running.children)
            )
        except BaseException as error:  # noqa: BLE001 - see the module
            return self._ended_by(error, running.lease)
        finally:
            if running.log is not None:
                running.log.finish_line()

    def _run_code(self, running: Running) -> Any:
        command = self._commands.get(running.lease.type)
        if command is not None:
            return command.run(running)
        job_type = self._type_of(running)
        context = JobContext(running, self._lookup)
        if job_type.is_async:
            return _run_coroutine(job_type, running, context)
        self._alarm.watch(running.entered_at_s, running.lease.timeout_s)
        return job_type.handler(context, **job_type.bind(running.lease.payload))

    def _type_of(self, running: Running) -> JobType:
        job_type = self._types.get(running.lease.type)
        if job_type is not None:
            return job_type
        if self._lookup.knows_type(running.lease.type):
            raise OutdatedWorker
        raise UnknownJobType(
            f"no module in jobs.modules and no command is the job type {running.lease.type!r}"
        )

    def _ended_by(self, error: BaseException, lease: Lease) -> Finished:
        # After a timeout the handler's own clean-up may raise something else.
        if isinstance(error, JobTimeout) or self._alarm.struck:
            found = error_of(error)
            message = f"it ran longer than its timeout of {lease.timeout_s:g} s"
            return Finished(
                lease,
                Ending.TIMED_OUT,
                error=JobError("JobTimeout", message, found.traceback),
            )
        if isinstance(error, JobCancelled):
            return Finished(lease, Ending.CANCELLED)
        if isinstance(error, OutdatedWorker):  # costs the job no retry: a new life will know it
            self.is_outdated = True
            return Finished(lease, Ending.RELEASED)
        if isinstance(error, Snooze):
            return Finished(lease, Ending.SNOOZED, snooze_ms=round(error.delay_s * 1000))
        permanent = isinstance(error, PermanentError)
        ending = Ending.FAILED_PERMANENTLY if permanent else Ending.FAILED
        return Finished(lease, ending, error=error_of(error))


def _run_coroutine(job_type: JobType, running: Running, context: JobContext) -> Any:
    import asyncio  # noqa: PLC0415 - 7 MB, only for workers with `async def` handlers

    async def attempt() -> Any:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        assert task is not None
        running.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
        context.check_cancelled()  # a request that came before there was a task to cancel
        work: Coroutine[Any, Any, Any] = job_type.handler(
            context, **job_type.bind(running.lease.payload)
        )
        limit = asyncio.timeout(running.lease.timeout_s)
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
            running.on_stop = None

    return asyncio.run(attempt())
