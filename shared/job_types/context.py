"""What a job's function may use and raise."""

import json
import sys
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from datetime import datetime, timedelta
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    Unpack,
    overload,
)

from orpheus.shared.domain.jobs import Dependency, JobError, Status
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.job_types.request import JobRequest, Options

Call = ParamSpec("Call")
New = ParamSpec("New")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class _Other:
    """A parameter that takes this takes everything: it is not the Context."""


_TakesAll = TypeVar("_TakesAll", bound="JobFunction[Concatenate[_Other, ...], Any]")
_Async = TypeVar("_Async", bound="JobFunction[..., Coroutine[Any, Any, Any]]")
_Sync1 = TypeVar("_Sync1", bound="JobFunction[Concatenate[Context, ...], Any]")
_Async1 = TypeVar(
    "_Async1", bound="JobFunction[Concatenate[Context, ...], Coroutine[Any, Any, Any]]"
)
_Async2 = TypeVar(
    "_Async2", bound="JobFunction[Concatenate[AsyncContext, ...], Coroutine[Any, Any, Any]]"
)


class _New(Generic[Call, R_co]):
    """The type of `.new`: without the Context, and with what an `async def` returns in the end.

    The bound of `job` decides which overload it is. Overloads of `@job` would do the same, but mypy
    does not decide between those where a function has an `Any`.
    """

    @overload
    def __get__(
        self: "_New[New, R]", job: _TakesAll, kind: object
    ) -> Callable[New, JobRequest[R]]: ...

    @overload
    def __get__(
        self: "_New[Concatenate[AsyncContext, New], Coroutine[Any, Any, R]]",
        job: _Async2,
        kind: object,
    ) -> Callable[New, JobRequest[R]]: ...

    @overload
    def __get__(
        self: "_New[Concatenate[Context, New], Coroutine[Any, Any, R]]", job: _Async1, kind: object
    ) -> Callable[New, JobRequest[R]]: ...

    @overload
    def __get__(
        self: "_New[Concatenate[Context, New], R]", job: _Sync1, kind: object
    ) -> Callable[New, JobRequest[R]]: ...

    @overload
    def __get__(
        self: "_New[New, Coroutine[Any, Any, R]]", job: _Async, kind: object
    ) -> Callable[New, JobRequest[R]]: ...

    @overload
    def __get__(self: "_New[New, R]", job: T, kind: object) -> Callable[New, JobRequest[R]]: ...

    def __get__(self, job: Any, kind: object) -> Any:
        """For type checkers: at run time it is JobType.new."""


class JobFunction(Generic[Call, R_co]):
    """The type of a function that `@job` has marked, as type checkers see it.

    At run time it is the function itself. A type checker knows the parameters of `.new(...)`,
    without the Context, if the Context comes first or is missing.
    """

    __name__: str
    new: _New[Call, R_co]
    """Return a job to submit with these arguments; the Context is not one of them.

    Raises TypeError, which names job type, field and reason, for arguments that do not fit.
    """

    def __call__(self, *args: Call.args, **kwargs: Call.kwargs) -> R_co:
        """Call the function itself, here and now."""
        raise NotImplementedError


class PermanentError(Exception):
    """Raise this to fail the job at once, without a retry."""


class Snooze(Exception):
    """Raise this to run the job again later without spending a retry: `raise Snooze("5m")`."""

    def __init__(self, delay: str | float | timedelta) -> None:
        """`delay`: seconds, a text or a timedelta, up to 365 days; ValueError otherwise."""
        self.delay_s = parse_duration_s(delay)
        super().__init__(f"for {self.delay_s:g} s")


class SignalTimeout(PermanentError):
    """The signal for which a function waited did not come in time."""


class ChildFailed(PermanentError):
    """Jobs that a function has gathered did not end `done`.

    It is about the first of them: `job_id`, `type`, `error`. `failed`: one for each of them.
    """

    def __init__(self, job_id: int, job_type: str, error: JobError) -> None:
        super().__init__(f"job {job_id} ({job_type}) is not done: {error.type}: {error.message}")
        self.job_id = job_id
        self.type = job_type
        self.error = error
        self.failed: tuple[ChildFailed, ...] = (self,)


class JobCancelled(BaseException):
    """A cancel was requested. Not an Exception, so `except Exception` does not catch it."""


class JobSuspended(BaseException):
    """Ends the attempt of a durable function that waits: what it did so far is no failure.

    Not an Exception, so `except Exception` does not catch it.
    """


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


class _Sentence(str):
    """The text of a KeyError, shown without the quotes that KeyError puts around a key."""

    __slots__ = ()
    __repr__ = str.__str__


class Results(Mapping[Any, Any]):
    """The results of the dependencies that are done, by id. A ref or a job type is a key too."""

    def __init__(self, dependencies: Iterable[Dependency]) -> None:
        self._all = {job.id: job for job in dependencies}
        self._done = {
            job.id: json.loads(job.result) for job in self._all.values() if job.result is not None
        }

    @overload
    def __getitem__(self, key: int | str, /) -> Any: ...

    @overload
    def __getitem__(self, key: JobFunction[..., Coroutine[Any, Any, R]], /) -> R: ...

    @overload
    def __getitem__(self, key: JobFunction[..., R], /) -> R: ...

    def __getitem__(self, key: Any, /) -> Any:
        """Return the result of a dependency: by its id, its ref, or its job type.

        Raises KeyError if there is none, and LookupError for a type that several of them have.
        """
        job = self._find(key)
        if job.id not in self._done:
            what = f"job {job.id} ({job.type}) is {job.status}"
            raise KeyError(_Sentence(f"{what} and has no result; ctx.attempt_error says why"))
        return self._done[job.id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._done)

    def __len__(self) -> int:
        return len(self._done)

    def __repr__(self) -> str:
        return repr(self._done)

    def error(self, key: int | str | JobFunction[..., Any]) -> JobError | None:
        """Return why a dependency is not done; None if it is. Raises as `[key]` does."""
        job = self._find(key)
        if job.status is Status.CANCELLED and job.error is None:
            return JobError("Cancelled", f"job {job.id} was cancelled")
        return None if job.status is Status.DONE else job.error

    def _find(self, key: Any) -> Dependency:
        if isinstance(key, int):
            found = [self._all[key]] if key in self._all else []
        elif isinstance(key, str):
            found = [job for job in self._all.values() if job.ref == key]
        else:
            name = getattr(getattr(key, "job_type", None), "name", None)
            found = [job for job in self._all.values() if job.type == name]
        if len(found) == 1:
            return found[0]
        named = getattr(key, "__name__", repr(key))
        if found:
            ids = ", ".join(str(job.id) for job in found)
            raise LookupError(f"it depends on several jobs of the type {named}: {ids}; use an id")
        raise KeyError(_Sentence(f"it depends on no job {named}"))


class CommonContext(Protocol):
    """What the functions of jobs can use, `async def` or not."""

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
    def scheduled_at(self) -> datetime | None:
        """The time of the schedule that the job was made for, in UTC.

        None: no schedule has made it. It stays the same however late the job runs, and for retries.
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

    def attempt_error(self, dependency: int | str | JobFunction[..., Any]) -> JobError | None:
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

    def check_cancelled(self) -> None:
        """Raise JobCancelled if a cancel of this job was requested, or if its lease is lost."""

    def idempotency_key(self, name: str) -> str:
        """Return a key for other systems: the same in each attempt, another for each step.

        `name`: of the step that uses it. A system that knows the key does not act twice, also if
        the worker died after the call and before the step was kept.
        """

    def signal(self, name: str, key: str | int, payload: object = None) -> None:
        """Send a signal together with this job's success, or not at all.

        Raises PermanentError for a name, key or payload that is not accepted.
        """


class Context(CommonContext, Protocol):
    """What a job's function can use: its own job, and nothing else.

    `step`, `sleep`, `wait_signal`, `gather` and `resume` make it durable (docs/durable.md): what
    they kept is not done again by later attempts. The function runs again from its first line, so
    it must ask for them in the same way each time. Each is kept under its name; the second of a
    name in one attempt is `name#2`.
    """

    def step(
        self, name: str, function: Callable[Call, R], /, *args: Call.args, **kwargs: Call.kwargs
    ) -> R:
        """Call `function` and keep its result, which is JSON; later attempts get the kept result.

        If the worker dies between the call and the commit, the next attempt calls it again. Raises
        what the function raises, and PermanentError for a result that cannot be kept.
        """

    def sleep(self, name: str, duration: str | float | timedelta, /) -> None:
        """Leave the worker and go on after so long: seconds, a text (`"1d"`) or a timedelta."""

    def wait_signal(
        self, name: str, /, key: str | int, *, timeout: str | float | timedelta | None = None
    ) -> Any:
        """Leave the worker until a signal is sent, and return its payload.

        A signal that was sent before counts, while `[retention] signals` keeps it. Raises
        SignalTimeout, in this and later attempts, if it has not come in time.
        """

    def gather(
        self, name: str, jobs: Iterable[JobRequest], /, *, return_errors: bool = False
    ) -> list[Any]:
        """Submit jobs once, leave the worker until all have ended, and return their results.

        Raises ChildFailed if one did not end `done`; with `return_errors` it stands in its place.
        """

    def resume(
        self, name: str, items: Iterable[T] | Callable[[Any], Iterable[T]], /
    ) -> Iterator[T]:
        """Iterate over `items`; a later attempt goes on after the last one that was done.

        An item is done when the next is asked for. `items` are passed over by their number. Of a
        function, the argument is the last item that was done, which must be JSON; None: no item.
        """


class AsyncContext(CommonContext, Protocol):
    """The Context of an `async def` job: the same, to be awaited."""

    @overload
    async def step(
        self,
        name: str,
        function: Callable[Call, Coroutine[Any, Any, R]],
        /,
        *args: Call.args,
        **kwargs: Call.kwargs,
    ) -> R: ...

    @overload
    async def step(
        self, name: str, function: Callable[Call, R], /, *args: Call.args, **kwargs: Call.kwargs
    ) -> R: ...

    async def step(self, name: str, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """See Context. A function that is not `async def` runs on the event loop."""

    async def sleep(self, name: str, duration: str | float | timedelta, /) -> None:
        """See Context."""

    async def wait_signal(
        self,
        name: str,
        /,
        key: str | int,
        *,
        timeout: str | float | timedelta | None = None,  # noqa: ASYNC109 - it may be days
    ) -> Any:
        """See Context."""

    async def gather(
        self, name: str, jobs: Iterable[JobRequest], /, *, return_errors: bool = False
    ) -> list[Any]:
        """See Context."""

    def resume(
        self,
        name: str,
        items: Iterable[T] | AsyncIterable[T] | Callable[[Any], Iterable[T] | AsyncIterable[T]],
        /,
    ) -> AsyncIterator[T]:
        """See Context; for `async for`."""


def current_traceparent() -> str | None:
    """Return the current span of OpenTelemetry as a `traceparent`; None if there is none.

    It imports nothing: in a program that has not imported OpenTelemetry there is no span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags) & 0xFF:02x}"
