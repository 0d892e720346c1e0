"""What the clients return: jobs, attempts, log lines and events, as frozen data.

The fields are those of the HTTP API. A client on the database makes its objects from the same JSON,
so both kinds of client return the same. A field that an older client does not know is left out.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from orpheus.shared.domain.jobs import JobError, Outcome, Status
from orpheus.shared.domain.lifecycle import TERMINAL

T = TypeVar("T", bound=msgspec.Struct)


class Attempt(msgspec.Struct, frozen=True):
    """One run of a job. `outcome` and `finished_at` are None while it runs."""

    number: int
    outcome: Outcome | None
    worker: str
    pid: int
    started_at: datetime
    finished_at: datetime | None
    error: JobError | None
    cpu_s: float | None = None
    """CPU time of its worker and of programs that it waited for; None: not measured."""
    max_rss_bytes: int | None = None
    """The most memory that its worker, or a program that it waited for, had in use."""


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """A job as events carry it: without its payload, result and attempts. Times are in UTC."""

    id: int
    type: str
    status: Status
    queue: str
    priority: int
    error: JobError | None
    """Why its last attempt failed; None once it is done."""
    attempt: int
    """The number of the newest attempt; 0 if there was none."""
    max_retries: int
    timeout: float
    """The most that one attempt may take, in seconds."""
    progress: float | None
    message: str | None
    created_at: datetime
    run_at: datetime
    freed_at: datetime | None = None
    """When it was last unblocked, unparked after a quarantine, or made pending after a run."""
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    unique_key: str | None
    concurrency_key: str | None = None
    depends_on: tuple[int, ...]
    tags: tuple[str, ...]
    cancel_requested: bool

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.status in TERMINAL


class Job(JobState, frozen=True, kw_only=True):
    """A job as it was when it was read."""

    payload: dict[str, Any]
    result: Any
    ran_until: datetime | None = None
    """When the last attempt ended, once the job has. It is before `finished_at` if the worker died
    while no supervisor ran, or if the job was cancelled while it waited for a retry."""
    on_dependency_failure: str = "cancel"
    """What becomes of it when a job it depends on does not end done: `cancel`, `run` or `fail`."""
    attempts: tuple[Attempt, ...] = ()
    """Oldest first. Only `get` and `wait` read them: empty in what other methods return."""


class LogLine(msgspec.Struct, frozen=True):
    """One line that a job wrote."""

    id: int
    attempt: int
    at: datetime
    level: str
    line: str
    fields: dict[str, Any]


class Event(msgspec.Struct, frozen=True):
    """A change of a job, and the job as it was right after it."""

    seq: int
    at: datetime
    kind: str
    """`job.enqueued`, `job.started`, `job.done` and so on."""
    job: JobState


def job_of(data: Mapping[str, Any]) -> Job:
    """Return the job that JSON describes."""
    return _read(Job, data)


def line_of(data: Mapping[str, Any]) -> LogLine:
    """Return the log line that JSON describes."""
    return _read(LogLine, data)


def event_of(data: Mapping[str, Any]) -> Event:
    """Return the event that JSON describes."""
    return _read(Event, data)


def _read(kind: type[T], data: Mapping[str, Any]) -> T:
    values = {name: data[name] for name in kind.__struct_fields__ if name in data}
    for name, convert in _CONVERTERS.items():
        if values.get(name) is not None:
            values[name] = convert(values[name])
    return kind(**values)


def _error(data: Mapping[str, Any]) -> JobError:
    return JobError(data["type"], data["message"], data.get("traceback"))


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("at", "created_at", "run_at", "freed_at", "started_at", "finished_at", "ran_until"),
        datetime.fromisoformat,
    ),
    "status": Status,
    "outcome": Outcome,
    "error": _error,
    "depends_on": tuple,
    "tags": tuple,
    "attempts": lambda items: tuple(_read(Attempt, item) for item in items),
    "job": lambda job: _read(JobState, job),
}
