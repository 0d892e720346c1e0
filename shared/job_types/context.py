"""What a job's function may use and raise."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol, Unpack

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.job_types.job_function import JobFunction
from orpheus.shared.job_types.request import JobRequest, Options
from orpheus.shared.job_types.results import Results


class PermanentError(Exception):
    """Raise this to fail the job at once, without a retry."""


class Snooze(Exception):
    """Raise this to run the job again later without spending a retry: `raise Snooze("5m")`."""

    def __init__(self, delay: str | float | timedelta) -> None:
        """`delay`: seconds, a text or a timedelta, up to 365 days; ValueError otherwise."""
        self.delay_s = parse_duration_s(delay)
        super().__init__(f"for {self.delay_s:g} s")


class JobCancelled(BaseException):
    """A cancel was requested. Not an Exception, so `except Exception` does not catch it."""


class JobTimeout(BaseException):
    """The job is past its timeout. Not an Exception, so `except Exception` does not catch it."""


class Log(Protocol):
    """The log of an attempt: lines of text, each with fields that are stored as JSON."""

    def debug(self, event: str, /, **fields: object) -> None:
        """A detail."""

    def info(self, event: str, /, **fields: object) -> None:
        """What happens."""

    def warning(self, event: str, /, **fields: object) -> None:
        """What should be looked at."""

    def error(self, event: str, /, **fields: object) -> None:
        """What went wrong."""


class Context(Protocol):
    """What a job's function can use: its own job, and nothing else."""

    @property
    def job_id(self) -> int:
        """The job's id, the same for every attempt: an idempotency key for other systems."""

    @property
    def attempt(self) -> int:
        """The number of this attempt, counted from 1."""

    @property
    def type(self) -> str:
        """The name of its job type."""

    @property
    def queue(self) -> str:
        """The queue it was submitted to."""

    @property
    def traceparent(self) -> str | None:
        """The trace that the job is part of (W3C Trace Context), None if it was submitted in none.

        Jobs that this attempt submits are part of it too.
        """

    @property
    def log(self) -> Log:
        """The job's log; it also takes what `print` and the logging module write."""

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Report how far the job is, 0 to 1, and a short message. Shown within 0.3 s.

        Raises ValueError for any other number.
        """

    @property
    def results(self) -> Results:
        """The results of the jobs that this one depends on, of those that are done.

        A mapping by id; `results["ref"]` and `results[job_type]` work too.
        """

    def attempt_error(
        self, dependency: "int | str | JobFunction[..., ..., Any]"
    ) -> JobError | None:
        """Return why a job that this one depends on failed, None if it is done.

        It is named by its id, its ref or its job type. For jobs that run whatever becomes of the
        others (`on_dependency_failure="run"`). Raises LookupError for any other job.
        """

    def enqueue(
        self,
        job: JobRequest | str,
        payload: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> str:
        """Submit another job together with this one's success, in one commit, or not at all.

        `job` is made by `.new(...)`, or is the name of a job type, with its payload. Returns its
        ref, which may stand in the `depends_on` of those that this attempt submits later. Raises
        PermanentError, naming the field, for a job that would not be accepted.
        """

    def trouble(self) -> list[str]:
        """Return what needs a person in the system itself, as `orpheus status` says it."""

    def check_cancelled(self) -> None:
        """Raise JobCancelled if a cancel of this job was requested, or if its lease is lost."""
