"""What the API takes in the query of a URL, as pydantic models.

Numbers are converted from text. Empty fields are ignored.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from orpheus.api.contract.requests import (
    WITHOUT_NUL,
    Cursor,
    DurationS,
    Name,
    PayloadFields,
    SearchText,
    no_nul,
)
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.limits import LARGEST_ID, MAX_UNIQUE_KEY_CHARS
from orpheus.shared.durations import PATTERN as DURATION_PATTERN
from orpheus.shared.durations import parse_moment

LONGEST_WAIT_S = 300
"""The longest wait in seconds: a request that asks for more is answered after this time."""
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def _number_in_a_query(value: Any) -> Any:
    """Convert text that is a JSON number (`1e-3`): a query has only text."""
    is_number = isinstance(value, str) and _JSON_NUMBER.fullmatch(value)
    return float(value) if is_number else value


MomentMs = Annotated[
    int,
    BeforeValidator(parse_moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "pattern": DURATION_PATTERN},
            ],
            "description": "A time, or how long ago: 2026-01-31T12:00:00Z, 15m, 2h.",
        }
    ),
]
"""Milliseconds since 1970. A negative value is relative to now; `moment_ms` converts it."""
UniqueKey = Annotated[
    str,
    Field(min_length=1, max_length=MAX_UNIQUE_KEY_CHARS, json_schema_extra=WITHOUT_NUL),
    AfterValidator(no_nul),
]
ErrorName = Annotated[
    str,
    Field(min_length=1, max_length=200, json_schema_extra=WITHOUT_NUL),
    AfterValidator(no_nul),
]
ErrorLocation = Annotated[
    str, Field(max_length=1000, json_schema_extra=WITHOUT_NUL), AfterValidator(no_nul)
]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: Any) -> Any:
        """Treat a field that a form left empty (`?status=`) as not given."""
        if not isinstance(given, dict):
            return given
        return {k: value for k, value in given.items() if value != "" or k not in cls.model_fields}


class JobsQuery(_Query):
    """Which jobs to list."""

    status: Status | None = None
    type: Name | None = None
    queue: Name | None = None
    tag: Name | None = None
    unique_key: UniqueKey | None = None
    payload: PayloadFields | None = None
    q: SearchText | None = None
    error: ErrorName | None = None
    """The name of the exception, as in GET /errors."""
    where: ErrorLocation | None = None
    """Where it was raised, as in GET /errors; only with `error`."""
    since: MomentMs | None = None
    """Only jobs that ended then or later."""
    until: MomentMs | None = None
    """Only jobs that ended before."""
    sort: Literal["newest", "ended"] | None = None
    """`newest`: most recently submitted first. `ended`: most recently ended first; unfinished jobs
    are left out. Default: newest; with `since` or `until`, ended."""
    limit: int = Field(50, ge=1, le=500)
    """A page may have fewer jobs if it exceeds 8 MiB or the search takes too long."""
    cursor: Cursor | None = None
    by_status: bool = False
    """Also count the jobs of each status, whatever `status` is."""
    preview: bool = False
    """Payload and result are texts, the first 200 characters of their JSON; no traceback."""


class ConfigurationQuery(BaseModel):
    """Whether to write."""

    model_config = ConfigDict(extra="forbid")

    check: bool = False
    """Validate only: report problems and which processes would restart."""


class QueuesQuery(_Query):
    """Which queues to list."""

    name: Name | None = None
    """Only this one. Without a queue of that name, the list is empty."""


class WorkersQuery(_Query):
    """What to add to the slots."""

    pools: bool = False
    """Add the pools and programs of the configuration, also those without a slot."""


class AuditQuery(_Query):
    """Which part of the audit log."""

    job: int | None = Field(None, ge=1, le=LARGEST_ID)
    """Only what was done to this job, alone or together with others."""
    limit: int = Field(50, ge=1, le=500)
    cursor: Cursor | None = None


class HistoryQuery(_Query):
    """Which part of the history."""

    by: Literal["queue", "type"] = "type"
    """What the figures are of."""
    name: Name | Literal["_other"] | None = None
    """Only of this queue or type."""
    since: MomentMs | None = None
    """The first step has this time in it. Default: an hour before `until`."""
    until: MomentMs | None = None
    """Only steps that begin before. Default: now."""
    step: Annotated[DurationS, BeforeValidator(_number_in_a_query)] | None = None
    """A multiple of a minute, such as 5m; of an hour, if `since` is more than two days ago. A name
    has at most 1,500 points. Default: one that gives up to 120."""


class TimelineQuery(_Query):
    """Which part of the timeline."""

    since: MomentMs | None = None
    """Only what happened then or later."""
    until: MomentMs | None = None
    """Only what happened before."""
    q: SearchText | None = None
    """A text in the kind or the details; of an operator's action, also in who did it and why."""
    kind: str | None = Field(None, pattern=r"^[a-z_]+(\.[a-z_]+)?(,[a-z_]+(\.[a-z_]+)?){0,19}$")
    """Only these kinds, with commas between: `worker.exited`, or their first words: `operator`."""
    limit: int = Field(50, ge=1, le=500)
    cursor: Cursor | None = None


class JobQuery(_Query):
    """How long to wait for the job's end."""

    wait: Annotated[DurationS, BeforeValidator(_number_in_a_query)] = Field(
        0,
        description="Seconds, or a text such as 30s; after "
        f"{LONGEST_WAIT_S} s the job is returned as it is.",
    )


class LogsQuery(_Query):
    """Which lines of a log."""

    after: int = Field(0, ge=0, le=LARGEST_ID)
    """Lines with a greater id only."""
    limit: int = Field(1000, ge=1, le=1000)


class ProgramLogsQuery(_Query):
    """Which lines of a program's output."""

    after: int | None = Field(None, ge=0, le=LARGEST_ID)
    """Lines with a greater id only; without it, the newest."""
    before: int | None = Field(None, ge=0, le=LARGEST_ID)
    """Lines with a smaller id only. Pass the oldest id you have to get the page before it."""
    limit: int = Field(1000, ge=1, le=1000)
    host: str | None = Field(None, max_length=255)
    """Which host is meant; needed only if several have that slot."""


class JobEventsQuery(_Query):
    """Which events of a job."""

    after: int = Field(0, ge=0, le=LARGEST_ID)
    """Events with a greater seq only."""
    limit: int = Field(500, ge=1, le=500)


class EventsQuery(_Query):
    """Where a stream begins."""

    after: int | None = Field(None, ge=0, le=LARGEST_ID)
    """Events with a greater seq only."""
    epoch: str | None = Field(None, pattern="^[A-Za-z0-9]{1,64}$")
    """The database epoch that `after` belongs to."""


class StreamQuery(EventsQuery):
    """What a WebSocket sends."""

    job: str | None = None
    """Only this job's events and log lines."""
    log_after: int = Field(0, ge=0, le=LARGEST_ID)
    """With `job`: lines of its log with a greater id only."""
