"""Runs attempts as a worker does, in the thread of a test."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from orpheus.shared.domain.lifecycle import Finished
from orpheus.shared.job_types.registry import JobType
from orpheus.worker.attempt.around import Around
from orpheus.worker.attempt.context import JobQueries, RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout
from orpheus.worker.attempt.job_log import JobLogHandler, JobOutput

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType

T = TypeVar("T")


def run_attempt(
    attempt: RunningAttempt,
    types: Mapping[str, JobType],
    queries: JobQueries,
    commands: "Mapping[str, CommandType] | None" = None,
    around: Around = (),
) -> Finished:
    """Run the attempt, and return how it ended. Raises nothing that its job raises.

    What it prints and logs goes to its log, as in a worker. Only a coroutine times out: SIGALRM
    belongs to the test runner.
    """
    executor = Executor(types, commands or {}, NoTimeout(), queries, around=around)
    with _captured(attempt):
        return _without_a_running_loop(lambda: executor.run(attempt))


def job_type_of(job: Any) -> JobType:
    """Return the job type that a function is. Raises TypeError if it is none."""
    job_type = getattr(job, "job_type", None)
    if not isinstance(job_type, JobType):
        raise TypeError(f"{job!r} is no job type: mark the function with @job")
    return job_type


@contextmanager
def _captured(attempt: RunningAttempt) -> Iterator[None]:
    out, err, root = sys.stdout, sys.stderr, logging.getLogger()
    handler, level = JobLogHandler(attempt.job_log), root.level
    sys.stdout = JobOutput(out, attempt.job_log)
    sys.stderr = JobOutput(err, attempt.job_log, "warning")
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
        root.removeHandler(handler)
        root.setLevel(level)


def _without_a_running_loop(call: Callable[[], T]) -> T:
    """Return what `call` returns; from a coroutine it runs in a thread, which can have a loop."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:  # noqa: SLF001 - has no error to catch
        return call()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, call).result()
