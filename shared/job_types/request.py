"""A job to submit: what `.new(...)` returns, and what `ctx.enqueue` and the clients take.

Imports nothing large: an application makes it in its own process.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypedDict, Unpack

import msgspec
from msgspec.structs import force_setattr, replace

from orpheus.shared.domain.limits import TWO_STARTS
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.job_types.fields import field_problems
from orpheus.shared.moments import parse_time_ms


class HasId(Protocol):
    """A job that was submitted."""

    @property
    def id(self) -> int:
        """Its id."""


JobOrRef = int | str | HasId
"""The id of a job, a job that has one, or the `ref` of another job that is submitted with it."""


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
    ref: str | None
    """What other jobs that are submitted with it call it in their `depends_on`."""


class JobRequest(msgspec.Struct, frozen=True):
    """A job to submit. None: the default of its type, or of [jobs].

    Durations and times may be given as in `Options`; `delay` and `timeout` become seconds, and
    `run_at` a datetime. Raises ValueError, which names the field, for a value that is not valid.
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
    ref: str | None = None

    def __post_init__(self) -> None:
        put = force_setattr
        if self.depends_on and type(self.depends_on) in (list, tuple):
            put(self, "depends_on", tuple(getattr(one, "id", one) for one in self.depends_on))
        self._refuse_problems()
        for name in ("delay", "timeout"):
            value = getattr(self, name)
            if value is not None:
                put(self, name, parse_duration_s(value))
        if self.run_at is not None:
            put(self, "run_at", _time(self.run_at))
        if self.tags:
            put(self, "tags", tuple(dict.fromkeys(self.tags)))
        if self.depends_on:
            put(self, "depends_on", tuple(dict.fromkeys(self.depends_on)))

    def with_options(self, **options: Unpack[Options]) -> "JobRequest":
        """Return a copy with these options changed.

        `delay` takes the place of `run_at`, and the other way round. Raises TypeError for an option
        that does not exist, and ValueError for a value that is not valid; both name the option.
        """
        unknown = options.keys() - Options.__annotations__.keys()
        if unknown:
            raise TypeError(
                f"{self.type}: {', '.join(sorted(unknown))} is no option; there are "
                f"{', '.join(Options.__annotations__)}"
            )
        given: dict[str, Any] = {**options}
        for one, other in (("delay", "run_at"), ("run_at", "delay")):
            if given.get(one) is not None:
                given.setdefault(other, None)
        return replace(self, **given)

    def given(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, by name, with `type` and `payload`."""
        return {"type": self.type, "payload": self.payload, **self._options()}

    def _options(self) -> dict[str, Any]:
        options = {name: getattr(self, name) for name in _OPTIONS}
        return {name: one for name, one in options.items() if one is not None and one != ()}

    def _refuse_problems(self) -> None:
        values = {"type": self.type, **self._options()}
        problems = [f"{one.pointer[1:]}: {one.detail}" for one in field_problems(values)]
        if self.delay is not None and self.run_at is not None:
            problems.append(TWO_STARTS)
        if problems:
            raise ValueError(f"{self.type}: {'; '.join(problems)}")


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


_OPTIONS = tuple(name for name in JobRequest.__struct_fields__ if name not in ("type", "payload"))
