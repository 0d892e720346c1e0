"""A job to submit: what `.new(...)` returns and `ctx.enqueue` and the clients take; its rules.

The rules are those of every way in from Python: `.new()`, the command line, schedules. It imports
nothing large: an application makes and checks a job in its own process.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, Protocol, Self, TypedDict, Unpack

import msgspec
from msgspec.structs import force_setattr, replace

from orpheus.shared.domain.jobs import Result_co
from orpheus.shared.domain.json_values import Path, json_pointer, json_problems, not_storable
from orpheus.shared.domain.limits import (
    LARGEST_ID,
    MAX_DEPENDENCIES,
    MAX_RETRIES,
    MAX_TAGS,
    MAX_UNIQUE_KEY_CHARS,
    NAME,
    NAME_RULE,
    ON_DEPENDENCY_FAILURE,
    ON_DUPLICATE,
    PRIORITIES,
    TWO_STARTS,
)
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import FieldProblem
from orpheus.shared.moments import parse_time_ms


class HasId(Protocol):
    """A job that was submitted."""

    @property
    def id(self) -> int:
        """Its id."""


JobOrRef = int | str | HasId
"""The id of a job, a job that has one, or the `ref` of another job that is submitted with it."""


OnDuplicate = Literal["keep", "replace"]


class Options(TypedDict, total=False):
    """What `with_options` changes; None: back to the default of the type, or of [jobs]."""

    queue: str | None
    priority: int | None
    delay: str | float | timedelta | None
    """Seconds, a text such as "15m", or a timedelta; not with run_at."""
    run_at: datetime | str | None
    """A datetime with its time zone, or an RFC 3339 text; not with delay."""
    unique_key: str | None
    concurrency_key: str | None
    depends_on: Sequence[JobOrRef]
    tags: Sequence[str]
    max_retries: int | None
    timeout: str | float | timedelta | None
    on_dependency_failure: str | None
    """`cancel`, `run` or `fail`: what happens when a job that it depends on does not end done."""
    expires: str | float | timedelta | None
    """If it has not started so long after its time (or its submission), it is cancelled."""
    unique_for: str | float | timedelta | None
    """Its unique key stays taken for so long after the submission, also if it has ended."""
    on_duplicate: OnDuplicate | None
    """`keep`, or `replace`: a job with the unique key that has not started gets this payload and
    time."""
    retention: str | float | timedelta | None
    """How long it is kept after it is done; 0: it is deleted then."""
    ref: str | None
    """What other jobs that are submitted with it call it in their `depends_on`."""


class JobRequest(msgspec.Struct, Generic[Result_co], frozen=True):
    """A job to submit. None: the default of its type, or of [jobs].

    For type checkers it is generic in what its function returns.

    Durations and times may be given as in `Options`; durations become seconds, and `run_at` a
    datetime. Raises ValueError, which names the field, for a value that is not valid.
    """

    type: str
    payload: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """The payload's JSON object. It is checked against the type's schema when it is submitted."""
    queue: str | None = None
    priority: int | None = None
    delay: float | None = None
    run_at: datetime | None = None
    unique_key: str | None = None
    concurrency_key: str | None = None
    max_retries: int | None = None
    timeout: float | None = None
    depends_on: tuple[int | str, ...] = ()
    tags: tuple[str, ...] = ()
    on_dependency_failure: str | None = None
    expires: float | None = None
    unique_for: float | None = None
    on_duplicate: OnDuplicate | None = None
    retention: float | None = None
    ref: str | None = None

    def __post_init__(self) -> None:
        put = force_setattr
        if self.depends_on and type(self.depends_on) in (list, tuple):
            put(self, "depends_on", tuple(getattr(job, "id", job) for job in self.depends_on))
        self._refuse_problems()
        for name in _DURATIONS:
            value = getattr(self, name)
            if value is not None:
                put(self, name, parse_duration_s(value))
        if self.run_at is not None:
            put(self, "run_at", _time(self.run_at))
        if self.tags:
            put(self, "tags", tuple(dict.fromkeys(self.tags)))
        if self.depends_on:
            put(self, "depends_on", tuple(dict.fromkeys(self.depends_on)))

    def with_options(self, **options: Unpack[Options]) -> Self:
        """Return a copy with these options changed.

        `delay` takes the place of `run_at`, and the other way round. Raises TypeError for an option
        that does not exist, and ValueError for a value that is not valid; both name the option.
        """
        unknown = options.keys() - Options.__annotations__.keys()
        if unknown:
            raise TypeError(
                f"{self.type}: {', '.join(sorted(unknown))} is not an option; there are "
                f"{', '.join(Options.__annotations__)}"
            )
        given: dict[str, Any] = {**options}
        for option, other in (("delay", "run_at"), ("run_at", "delay")):
            if given.get(option) is not None:
                given.setdefault(other, None)
        return replace(self, **given)

    def given(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, by name, with `type` and `payload`."""
        return {"type": self.type, "payload": self.payload, **self._options()}

    def _options(self) -> dict[str, Any]:
        options = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in options.items() if value is not None and value != ()}

    def _refuse_problems(self) -> None:
        values = {"type": self.type, **self._options()}
        problems = [
            f"{problem.pointer[1:]}: {problem.detail}" for problem in field_problems(values)
        ]
        problems += conflicts(values)
        if problems:
            raise ValueError(f"{self.type}: {'; '.join(problems)}")


def conflicts(fields: Mapping[str, Any]) -> list[str]:
    """Return which of the given fields of a job do not go together, and why. None: not given."""
    given = {name for name, value in fields.items() if value is not None}
    found = [TWO_STARTS] if given >= {"delay", "run_at"} else []
    if "unique_key" not in given:
        found += [
            f"{name} needs unique_key" for name in ("unique_for", "on_duplicate") if name in given
        ]
    return found


def request_of(
    job: JobRequest | str, payload: Mapping[str, Any] | None, options: Options
) -> JobRequest:
    """Return the job to submit, given as what `.new()` returns or by its type's name and payload.

    Raises TypeError, or ValueError that names the field, for what is not valid.
    """
    if isinstance(job, str):
        job = JobRequest(job, {} if payload is None else payload)
    elif not isinstance(job, JobRequest):
        raise TypeError(f"submit the name of a job type or what .new() returns, not {job!r}")
    elif payload is not None:
        raise TypeError(f"{job.type}: what .new() returns has its payload already")
    return job.with_options(**options) if options else job


def _time(value: datetime | str) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=parse_time_ms(value))


_DURATIONS = ("delay", "timeout", "expires", "unique_for", "retention")
_OPTIONS = tuple(name for name in JobRequest.__struct_fields__ if name not in ("type", "payload"))


# The rules of the fields

Check = Callable[[Any], Iterable[tuple[Path, str]]]
"""Yields what is wrong with a value, each with its path inside the value."""


def field_problems(fields: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Yield what is wrong with the fields of a job, by their names; None: not given."""
    for name, value in fields.items():
        if value is not None:
            for path, detail in _CHECKS[name](value):
                yield FieldProblem(json_pointer((name, *path)), detail)


def _name(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        yield (), f"is not a valid name: it {NAME_RULE}"


def _integer_in(allowed: range) -> Check:
    def check(value: Any) -> Iterator[tuple[Path, str]]:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not allowed[0] <= value <= allowed[-1]:
            yield (), f"must be an integer from {allowed[0]} to {allowed[-1]}"

    return check


def _read_by(parse: Callable[[Any], object]) -> Check:
    def check(value: Any) -> Iterator[tuple[Path, str]]:
        try:
            parse(value)
        except ValueError as error:
            yield (), str(error)

    return check


def _more_than_0_s(value: Any) -> float:
    seconds = parse_duration_s(value)
    if seconds == 0:
        raise ValueError("must be longer than 0")
    return seconds


def _key(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_UNIQUE_KEY_CHARS:
        yield (), f"must be text of 1 to {MAX_UNIQUE_KEY_CHARS} characters"
    else:
        yield from json_problems(value, not_storable)


def _tags(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_TAGS:
        yield (), f"must be a list of up to {MAX_TAGS} names"
        return
    for index, tag in enumerate(value):
        for _, detail in _name(tag):
            yield (index,), detail


def _dependencies(value: Any) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_DEPENDENCIES:
        yield (), f"must be a list of up to {MAX_DEPENDENCIES:,} ids and refs"
        return
    for index, job in enumerate(value):
        is_id = type(job) is int and 1 <= job <= LARGEST_ID
        if not is_id and not (isinstance(job, str) and NAME.fullmatch(job)):
            yield (index,), "must be the id of a job, or the ref of one submitted together with it"


def _one_of(*words: str) -> Check:
    def check(value: Any) -> Iterator[tuple[Path, str]]:
        if value not in words:
            yield (), f"must be one of {', '.join(words)}"

    return check


_CHECKS: dict[str, Check] = {
    "type": _name,
    "queue": _name,
    "priority": _integer_in(PRIORITIES),
    "delay": _read_by(parse_duration_s),
    "run_at": _read_by(parse_time_ms),
    "max_retries": _integer_in(range(MAX_RETRIES + 1)),
    "timeout": _read_by(_more_than_0_s),
    "expires": _read_by(_more_than_0_s),
    "unique_for": _read_by(_more_than_0_s),
    "retention": _read_by(parse_duration_s),
    "unique_key": _key,
    "concurrency_key": _key,
    "tags": _tags,
    "depends_on": _dependencies,
    "on_dependency_failure": _one_of(*ON_DEPENDENCY_FAILURE),
    "on_duplicate": _one_of(*ON_DUPLICATE),
    "ref": _name,
}
