"""Runs one attempt of one job in its own thread and returns how it ended.

Every exception of a handler ends only its attempt, even SystemExit and KeyboardInterrupt: nothing
that a job raises ends the worker. Each attempt has a context of its own (contextvars), so what it
sets there is gone afterwards. Avoid slow system calls here: they dominate the cost of short jobs.
"""

import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol

from orpheus.shared.domain.jobs import JobError, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import StorageError
from orpheus.shared.job_types.context import (
    JobCancelled,
    JobSuspended,
    JobTimeout,
    PermanentError,
    Snooze,
)
from orpheus.shared.job_types.registry import JobType, PayloadMisfit
from orpheus.shared.logs import get_logger
from orpheus.worker.attempt.around import Around, Spans, enter_around, enter_around_coroutine
from orpheus.worker.attempt.context import (
    CannotFollow,
    JobQueries,
    LacksFiles,
    RunningAttempt,
)
from orpheus.worker.attempt.folder import Folder
from orpheus.worker.attempt.forked_child import end_forked_child
from orpheus.worker.attempt.job_context import JobContext
from orpheus.worker.attempt.job_log import Capture
from orpheus.worker.attempt.meter import Meter
from orpheus.worker.attempt.outcomes import error_of, leaves_of, result_text
from orpheus.worker.attempt.stray_output import StrayOutput

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType
    from orpheus.worker.attempt.kept_loop import KeptLoop


_BLOCKED_PAST_TIMEOUT = (
    "the job blocked the event loop, so its timeout could not interrupt it: await, or use "
    "asyncio.to_thread"
)

log = get_logger()


class UnknownJobType(Exception):
    """No job module defines the type now; the job is retried, as a module may define it later."""


class OtherCode(Exception):
    """This worker cannot read the job, but another version of its type can.

    `versions`: the versions that can read it, or None if unknown.
    """

    def __init__(self, versions: str | None) -> None:
        super().__init__(versions)
        self.versions = versions


class SoftTimeout(Protocol):
    """What raises JobTimeout in a handler: the Alarm of the main thread, or an Interrupt."""

    has_raised: bool

    def arm(self, now_s: float, timeout_s: float) -> None:
        """Raise JobTimeout in this thread once `timeout_s` have passed, unless disarmed before."""

    def disarm(self) -> None:
        """Cancel the deadline: the handler has returned."""


class NoTimeout:
    """A SoftTimeout that does nothing, for code that has another timeout, or none."""

    has_raised = False

    def arm(self, now_s: float, timeout_s: float) -> None:
        """See SoftTimeout."""

    def disarm(self) -> None:
        """See SoftTimeout."""


class Executor:
    """Runs attempts of the job types that it is given. One thread only."""

    def __init__(
        self,
        types: Mapping[str, JobType],
        commands: Mapping[str, "CommandType"],
        alarm: SoftTimeout,
        queries: JobQueries,
        around: Around = (),
        spans: Spans | None = None,
    ) -> None:
        self.types = types
        self.commands = commands
        self.alarm = alarm
        self.queries = queries
        self.around = around
        """Wraps each attempt."""
        self.spans = spans
        """Records each attempt; None: nothing does."""
        self.has_raised = False
        """A timeout or a cancel was raised in a job's code, which may have left a lock locked."""
        self.lacks_files = False
        """A command could not be started, as this process may open no more files."""
        self._pid = os.getpid()
        self._kept_loop: KeptLoop | None = None

    def run(self, attempt: RunningAttempt) -> Finished:
        """Run the attempt and return how it ended. Raises nothing."""
        if self.spans is None:
            return self._run(attempt)
        attempt.step_span = self.spans.step_span
        with self.spans.attempt_span(attempt.lease) as ended:
            finished = self._run(attempt)
            ended(finished)
        return finished

    def _run(self, attempt: RunningAttempt) -> Finished:
        try:
            try:
                try:
                    value = copy_context().run(self._run_code, attempt)
                finally:
                    if os.getpid() != self._pid:
                        end_forked_child()
                _refuse_gone_on(attempt)
                result = result_text(value)
            finally:
                self.alarm.disarm()
            return _success(attempt, result)
        except BaseException as error:  # noqa: BLE001 - see the module
            return self.ended_by(error, attempt)
        finally:
            self.has_raised |= self.alarm.has_raised
            if attempt.log is not None:
                attempt.log.finish_lines()

    def _loop(self) -> "KeptLoop":
        if self._kept_loop is None:
            # asyncio: 7 MB, only for workers with `async def` handlers
            from orpheus.worker.attempt.kept_loop import KeptLoop  # noqa: PLC0415

            self._kept_loop = KeptLoop()
        return self._kept_loop

    def _run_code(self, attempt: RunningAttempt) -> Any:
        lease = attempt.lease
        command = self.commands.get(lease.type)
        if command is not None:
            with ExitStack() as stack:
                enter_around(stack, self.around, JobContext(attempt, self.queries))
                return command.run(attempt)
            return None
        job_type = self.types.get(lease.type)
        if job_type is None:
            if other := self._other_code(lease, None):
                raise other
            raise UnknownJobType(
                f"no module in jobs.modules and no command is the job type {lease.type!r}"
            )
        if job_type.is_async:
            return self._loop().run(self._run_coroutine(job_type, attempt))
        context = JobContext(attempt, self.queries)
        self.alarm.arm(attempt.started_at_s, lease.timeout_s)
        if not self.around:
            return job_type.call(context, lease.payload)
        with ExitStack() as stack:
            enter_around(stack, self.around, context)
            try:
                return job_type.call(context, lease.payload)
            finally:
                # A forked child must not exit these context managers: they could commit twice.
                if os.getpid() != self._pid:
                    end_forked_child()
        return None  # a context manager has swallowed the exception

    async def run_on_loop(self, attempt: RunningAttempt) -> Finished:
        """Run the attempt of an `async def` handler on the running loop; as `run` otherwise."""
        if self.spans is None:
            return await self._run_on_loop(attempt)
        attempt.step_span = self.spans.step_span
        with self.spans.attempt_span(attempt.lease) as ended:
            finished = await self._run_on_loop(attempt)
            ended(finished)
        return finished

    async def _run_on_loop(self, attempt: RunningAttempt) -> Finished:
        try:
            value = await self._run_coroutine(self.types[attempt.lease.type], attempt)
            _refuse_gone_on(attempt)
            return _success(attempt, result_text(value))
        except BaseException as error:  # noqa: BLE001 - see the module
            return self.ended_by(error, attempt)
        finally:
            if attempt.log is not None:
                attempt.log.finish_lines()

    async def _run_coroutine(self, job_type: JobType, attempt: RunningAttempt) -> Any:
        import asyncio  # noqa: PLC0415 - see _loop

        from orpheus.worker.attempt.async_context import AsyncJobContext  # noqa: PLC0415 - see _loop

        context = AsyncJobContext(attempt, self.queries)
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        assert task is not None
        attempt.on_stop = lambda: loop.call_soon_threadsafe(task.cancel)
        deadline_s = loop.time() + attempt.lease.timeout_s
        limit = asyncio.timeout_at(deadline_s)
        # The surrounding context managers exit after the timeout block, so they see JobTimeout and
        # JobCancelled.
        async with AsyncExitStack() as stack:
            try:
                async with limit:
                    try:
                        await enter_around_coroutine(stack, self.around, context)
                        context.check_cancelled()  # it may have come before there was `on_stop`
                        work: Coroutine[Any, Any, Any] = job_type.call(
                            context, attempt.lease.payload
                        )
                        result = await work
                        if not limit.expired() and loop.time() >= deadline_s:
                            attempt.job_log().warning(_BLOCKED_PAST_TIMEOUT)
                            raise JobTimeout
                        return result
                    finally:
                        if os.getpid() != self._pid:  # it must not close its parent's event loop
                            end_forked_child()
            except TimeoutError:
                if limit.expired():
                    raise JobTimeout from None
                raise
            except asyncio.CancelledError:
                context.check_cancelled()
                raise
            finally:
                attempt.on_stop = None
        return None  # a context manager has swallowed the exception

    def ended_by(self, error: BaseException, attempt: RunningAttempt) -> Finished:
        """Return how an attempt has ended that raised `error`."""
        try:
            wait = attempt.suspension
            if wait is not None and _only_suspends(error) and not self.alarm.has_raised:
                return Finished(attempt.lease, Ending.SNOOZED, wait=wait)
            return self._ending_by(error, attempt.lease)
        except BaseException:  # noqa: BLE001 - such as a Snooze whose class sets no valid delay
            return Finished(attempt.lease, Ending.FAILED, error=error_of(error))

    def _ending_by(self, error: BaseException, lease: Lease) -> Finished:
        # After a timeout, the handler's own clean-up may raise something else.
        if isinstance(error, JobTimeout) or self.alarm.has_raised:
            message = f"it ran longer than its timeout of {lease.timeout_s:g} s"
            timeout = JobError("JobTimeout", message, error_of(error).traceback)
            return Finished(lease, Ending.TIMED_OUT, error=timeout)
        if isinstance(error, PayloadMisfit):
            error = self._judged(error, lease)
        leaves = leaves_of(error)
        if all(isinstance(leaf, JobCancelled) for leaf in leaves):
            return Finished(lease, Ending.CANCELLED)
        if isinstance(error, OtherCode):
            # Its code was not entered, so it is as if this worker had not leased it.
            return Finished(lease, Ending.UNENTERED, versions=error.versions)
        if isinstance(error, LacksFiles):
            self.lacks_files = True
            return Finished(lease, Ending.RELEASED)
        if isinstance(error, CannotFollow):
            self.lacks_files = True
        if snoozes := _only_snoozes(leaves):
            delay_s = max(parse_duration_s(snooze.delay_s) for snooze in snoozes)
            return Finished(lease, Ending.SNOOZED, snooze_ms=round(delay_s * 1000))
        is_permanent = any(self._is_permanent(leaf, lease) for leaf in (error, *leaves))
        ending = Ending.FAILED_PERMANENTLY if is_permanent else Ending.FAILED
        wait_ms = self._retry_wait_ms((error, *leaves), lease)
        return Finished(lease, ending, error=error_of(error), retry_ms=wait_ms)

    def _judged(self, misfit: PayloadMisfit, lease: Lease) -> Exception:
        """Decide whether a misfit payload is invalid or belongs to another code version."""
        if other := self._other_code(lease, self.types[lease.type]):
            return other
        return PermanentError(*misfit.args).with_traceback(misfit.__traceback__)

    def _other_code(self, lease: Lease, job_type: JobType | None) -> OtherCode | None:
        """Return the error that releases the job if another version can, or may, read it."""
        try:
            versions = self.queries.other_readers(lease, job_type)
        except StorageError:
            # A database error must not cost a retry. Release the job; the next worker checks again.
            return OtherCode(None)
        return OtherCode(versions) if versions else None

    def _is_permanent(self, error: BaseException, lease: Lease) -> bool:
        job_type = self.types.get(lease.type)
        named = () if job_type is None else job_type.permanent
        return isinstance(error, (PermanentError, *named))

    def _retry_wait_ms(self, errors: Iterable[BaseException], lease: Lease) -> int | None:
        job_type = self.types.get(lease.type)
        if job_type is None or not job_type.retry_on:
            return None
        waits = (job_type.retry_wait_ms(error) for error in errors)
        return next((wait_ms for wait_ms in waits if wait_ms is not None), None)


class MainThreadExecutor(Executor):
    """Runs one attempt after the other in the main thread, and measures what each costs.

    `stray` takes what is written to the descriptors 1 and 2, `capture` keeps what attempts log.
    """

    def __init__(self, *args: Any, stray: StrayOutput, capture: Capture, **options: Any) -> None:
        super().__init__(*args, **options)
        self.stray = stray
        self.capture = capture
        self.folder = Folder()
        """The working directory of attempts."""
        self.meter = Meter()

    def run(self, attempt: RunningAttempt) -> Finished:
        """See Executor."""
        self.meter.begin(attempt.started_at_s)
        self.folder.enter()
        self.capture.keep()
        finished = super().run(attempt)
        self.stray.finish(attempt)
        return self.meter.end(attempt, finished)


def _refuse_gone_on(attempt: RunningAttempt) -> None:
    """Raise PermanentError if a function was suspended and has gone on.

    It would do what comes after the wait before the wait is over.
    """
    if attempt.suspension is not None:
        raise PermanentError(
            f"the function continued although it waits for {attempt.suspension.step.name!r}: it "
            "must not catch JobSuspended (no bare `except:`, no asyncio.gather with "
            "return_exceptions)"
        )


def _success(attempt: RunningAttempt, result: str) -> Finished:
    signals = () if attempt.signals is None else tuple(attempt.signals)
    children = tuple(attempt.children)
    return Finished(attempt.lease, Ending.SUCCEEDED, result, None, 0, children, signals=signals)


def _only_suspends(error: BaseException) -> bool:
    return all(isinstance(leaf, JobSuspended) for leaf in leaves_of(error))


def _only_snoozes(leaves: Sequence[BaseException]) -> list[Snooze]:
    """Return them if each is a Snooze, else an empty list."""
    found = [leaf for leaf in leaves if isinstance(leaf, Snooze)]
    return found if len(found) == len(leaves) else []
