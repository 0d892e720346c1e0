"""Job types: the names that a job author uses, and the registry that `@job` fills.

A job type is a function whose first parameter is the context; the others are its payload
(shared/job_types/signatures.py). Importing a module with `@job` functions registers them; only
workers do.
"""

import importlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, overload

from orpheus.shared.domain.limits import MAX_RETRIES, NAME, NAME_RULE
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import ConfigurationError, InvalidJob
from orpheus.shared.job_types.signatures import Signature

Handler = TypeVar("Handler", bound=Callable[..., Any])


class PermanentError(Exception):
    """Raise this to fail the job at once, without a retry."""


class Snooze(Exception):
    """Raise this to run the job again later without spending a retry: `raise Snooze("5m")`."""

    def __init__(self, delay: str | float) -> None:
        """`delay`: seconds or a duration text, up to 365 days; ValueError otherwise."""
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
    """What a handler can use: its own job, and nothing else."""

    @property
    def job_id(self) -> int:
        """The job's id, the same for every attempt: an idempotency key for other systems."""

    @property
    def attempt(self) -> int:
        """The number of this attempt, counted from 1."""

    @property
    def log(self) -> Log:
        """The job's log; it also takes what `print` and the logging module write."""

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Report how far the job is, 0 to 1, and a short message. Shown within 0.3 s.

        Raises ValueError for a fraction that is not a number.
        """

    @property
    def results(self) -> Mapping[int, Any]:
        """The results of the jobs that this one depends on, by id, of those that are done."""

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
        """Submit another job together with this one's success, in one commit, or not at all.

        Raises PermanentError, naming the field, for a job that would not be accepted.
        """

    def check_cancelled(self) -> None:
        """Raise JobCancelled if a cancel of this job was requested, or if its lease is lost."""


@dataclass(frozen=True, slots=True)
class JobType:
    """A registered handler. None: the default of [jobs], or the queue `default`."""

    name: str
    handler: Callable[..., Any]
    is_async: bool
    signature: Signature
    max_retries: int | None
    timeout_s: float | None
    queue: str | None

    def bind(self, payload: str) -> dict[str, Any]:
        """Return the handler's keyword arguments for a payload's JSON text.

        Raises PermanentError, naming the field, for a payload that does not fit the signature.
        """
        try:
            return self.signature.bind(json.loads(payload))
        except InvalidJob as refused:
            problems = "; ".join(
                f"{one.pointer or 'payload'}: {one.detail}" for one in refused.problems
            )
            raise PermanentError(f"the payload does not fit {self.name}: {problems}") from None

    def describe(self) -> dict[str, Any]:
        """Return what `python -m worker --describe` prints for this type. Imports pydantic."""
        description = inspect.getdoc(self.handler) or ""
        return {
            "name": self.name,
            "schema": self.signature.schema(self.name),
            "max_retries": self.max_retries,
            "timeout_s": self.timeout_s,
            "queue": self.queue,
            "description": description.split("\n\n", 1)[0].replace("\n", " "),
        }


_registry: dict[str, JobType] = {}


@overload
def job(name: Handler, /) -> Handler: ...


@overload
def job(
    name: str | None = None,
    /,
    *,
    max_retries: int | None = None,
    timeout: str | float | None = None,
    queue: str | None = None,
) -> Callable[[Handler], Handler]: ...


def job(
    name: Any = None,
    /,
    *,
    max_retries: int | None = None,
    timeout: str | float | None = None,
    queue: str | None = None,
) -> Any:
    """Make a function a job type: `@job`, or `@job("name", max_retries=5, timeout="30s")`.

    The function is returned unchanged, so tests can call it. Values that are not given come from
    [jobs]. Raises ConfigurationError for a name or value that is not valid, and for a name that
    another function has.
    """

    def register(handler: Handler) -> Handler:
        given = name if isinstance(name, str) else handler.__name__
        _add(_job_type(handler, given, max_retries, timeout, queue))
        return handler

    return register(name) if callable(name) else register


def registered_types() -> dict[str, JobType]:
    """Return every job type of the modules imported so far, by name."""
    return dict(_registry)


def load_job_types(modules: Iterable[str]) -> dict[str, JobType]:
    """Import the modules that define job types, and return every known job type, by name.

    An error that a module raises at import is passed on. Raises ConfigurationError for a type
    whose annotations cannot be read.
    """
    for module in modules:
        importlib.import_module(module)
    for job_type in _registry.values():
        job_type.signature.resolve()
    return registered_types()


def _job_type(
    handler: Callable[..., Any],
    name: str,
    max_retries: int | None,
    timeout: str | float | None,
    queue: str | None,
) -> JobType:
    for what, text in (("job type", name), ("queue", queue)):
        if text is not None and not NAME.fullmatch(text):
            raise ConfigurationError(
                f"{handler.__qualname__} in {handler.__module__}: {text!r} cannot name a "
                f"{what}: it {NAME_RULE}"
            )
    if max_retries is not None and not 0 <= max_retries <= MAX_RETRIES:
        raise ConfigurationError(f"job type {name}: max_retries must lie between 0 and 100")
    try:
        timeout_s = None if timeout is None else parse_duration_s(timeout)
    except ValueError as error:
        raise ConfigurationError(f"job type {name}: timeout: {error}") from None
    if timeout_s == 0:
        raise ConfigurationError(f"job type {name}: timeout: must be longer than 0")
    return JobType(
        name,
        handler,
        inspect.iscoroutinefunction(handler),
        Signature(handler),
        max_retries,
        timeout_s,
        queue,
    )


def _add(new: JobType) -> None:
    old = _registry.get(new.name)
    if old is not None and _place(old) != _place(
        new
    ):  # the same function again: its module was reloaded
        raise ConfigurationError(
            f"two functions are the job type {new.name!r}: {_place(old)} and {_place(new)}; "
            '@job("another_name") renames one'
        )
    _registry[new.name] = new


def _place(job_type: JobType) -> str:
    return f"{job_type.handler.__module__}.{job_type.handler.__qualname__}"
