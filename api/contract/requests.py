"""What the API takes: bodies and queries, as pydantic models.

Unknown fields are refused, and nothing is converted: `"5"` is not an integer. The docstrings of
the fields become their descriptions in /openapi.json.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.limits import (
    LARGEST_ID,
    LONGEST_REASON,
    MAX_BATCH_JOBS,
    MAX_DEPENDENCIES,
    MAX_RETRIES,
    MAX_TAGS,
    MAX_UNIQUE_KEY_CHARS,
    NAME,
    PRIORITIES,
)
from orpheus.shared.domain.requests import MOST_WORKERS
from orpheus.shared.durations import LONGEST_S, parse_duration_s
from orpheus.shared.durations import PATTERN as DURATION_PATTERN
from orpheus.shared.job_types.fields import parse_time_ms
from orpheus.shared.operations.configuration import LONGEST_TEXT, MASK
from orpheus.shared.storage import BulkAction

LONGEST_WAIT_S = 300
"""A request that asks to wait for longer is answered after so many seconds."""
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_NONE: Any = ()
"""The default of a list: pydantic copies a list anew, which takes longer than all other checks."""
_WITHOUT_NUL: JsonDict = {"pattern": r"^[^\u0000]*$"}
"""For the document only: api/http/strict_json.py refuses NUL before any field is looked at."""


def _more_than_zero(duration_s: float) -> float:
    if duration_s == 0:
        raise ValueError("must be more than 0")
    return duration_s


def _time_ms(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("must be text such as 2026-01-31T12:00:00Z")
    return parse_time_ms(value)


def _number_in_a_query(value: Any) -> Any:
    """Convert text that is a JSON number (`1e-3`): a query has only text."""
    is_number = isinstance(value, str) and _JSON_NUMBER.fullmatch(value)
    return float(value) if is_number else value


def _whole(value: Any) -> Any:
    """Take 8.0 for 8, as JSON Schema does: JSON has one kind of number."""
    return int(value) if type(value) is float and value.is_integer() else value


def _id_or_ref(value: Any) -> int | str:
    value = _whole(value)
    if type(value) is int and 1 <= value <= LARGEST_ID:
        return value
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise ValueError("must be the id of a job, or the ref of an item of this batch")


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character")
    return text


Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
"""The name of a type, a queue or a tag."""
DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": LONGEST_S},
                {"type": "string", "pattern": DURATION_PATTERN},
            ],
            "description": "Seconds, or a text such as 500ms, 30s, 15m, 2h, 7d; up to 365 days.",
        }
    ),
]
TimeMs = Annotated[
    int, BeforeValidator(_time_ms), WithJsonSchema({"type": "string", "format": "date-time"})
]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID), BeforeValidator(_whole)]
Priority = Annotated[int, Field(ge=PRIORITIES[0], le=PRIORITIES[-1]), BeforeValidator(_whole)]
Retries = Annotated[int, Field(ge=0, le=MAX_RETRIES), BeforeValidator(_whole)]
Size = Annotated[int, Field(ge=0, le=MOST_WORKERS), BeforeValidator(_whole)]
Count = Annotated[int, Field(ge=0, le=LARGEST_ID), BeforeValidator(_whole)]
IdOrRef = Annotated[
    int | str,
    PlainValidator(_id_or_ref),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
                {"type": "string", "pattern": f"^{NAME.pattern}$"},
            ]
        }
    ),
]
SearchText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="Text in type, payload, error or tags, among the newest 10,000 jobs.",
        json_schema_extra=_WITHOUT_NUL,
    ),
    AfterValidator(_no_nul),
]
Cursor = Annotated[str, Field(max_length=64, description="A `next_cursor`.")]


# Bodies.


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class _NewJob(_Body):
    """The fields of a job to submit, alone or in a batch."""

    type: Name
    """One of GET /types."""
    payload: dict[str, Any] = {}
    """What the type's schema asks for."""
    queue: Name | None = None
    """Default: the type's, or `default`."""
    priority: Priority = 0
    """The higher runs first."""
    delay: DurationS | None = None
    """Run so long from now; not with run_at."""
    run_at: TimeMs | None = None
    """Run then; not with delay."""
    max_retries: Retries | None = None
    """Default: the type's."""
    timeout: Annotated[DurationS, AfterValidator(_more_than_zero)] | None = None
    """Of one attempt; more than 0. Default: the type's."""
    unique_key: str | None = Field(
        None, min_length=1, max_length=MAX_UNIQUE_KEY_CHARS, json_schema_extra=_WITHOUT_NUL
    )
    """While a job with this key is live, submitting again answers with that job."""
    concurrency_key: str | None = Field(
        None, min_length=1, max_length=MAX_UNIQUE_KEY_CHARS, json_schema_extra=_WITHOUT_NUL
    )
    """Jobs of a queue with the same key share the queue's limits per key."""
    tags: list[Name] = Field(_NONE, max_length=MAX_TAGS)
    on_dependency_failure: Literal["cancel", "run", "fail"] = "cancel"
    """What becomes of it when a job it depends on does not end done."""

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.delay is not None and self.run_at is not None:
            raise ValueError("delay and run_at cannot both be given")
        return self


class SubmitJob(_NewJob):
    """A job to run."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"type": "sum_range", "payload": {"n": 100000}}}
    )

    depends_on: list[Id] = Field(_NONE, max_length=MAX_DEPENDENCIES)
    """Ids of jobs that must be done before."""


class BatchJob(_NewJob):
    """A job of a batch."""

    ref: Name | None = None
    """What other items of the batch call this one."""
    depends_on: list[IdOrRef] = Field(_NONE, max_length=MAX_DEPENDENCIES)
    """Ids of jobs, and refs of items of the batch, that must be done before; of all jobs of a
    batch together at most 100,000."""


class SubmitBatch(_Body):
    """Jobs to submit together: all of them, or none."""

    jobs: list[BatchJob] = Field(min_length=1, max_length=MAX_BATCH_JOBS)


class Reason(_Body):
    """Why an operator does something; it stands in GET /audit."""

    reason: str | None = Field(
        None, min_length=1, max_length=LONGEST_REASON, json_schema_extra=_WITHOUT_NUL
    )


class Scale(Reason):
    """How many workers a pool is to have."""

    workers: Size


def _either(one: str, one_type: str, other: str) -> dict[str, Any]:
    """Return the JSON Schema that requires `one` and forbids `other`."""
    types = {one: {"type": one_type}, other: {"type": "null"}}
    return {"required": [one], "properties": types}


class EditConfiguration(Reason):
    """A new text of the configuration file, or new values of single settings."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [_either("text", "string", "set"), _either("set", "object", "text")]
        }
    )

    text: str | None = Field(
        None,
        max_length=LONGEST_TEXT,
        description=f"TOML. {MASK} stands for the secret that is there, as GET /config shows it.",
    )
    set: dict[str, Any] | None = Field(None, min_length=1, max_length=50)
    """Settings by their dotted names; null takes one out of the file. The rest of the text stays
    as it is, with its comments."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.text is None) == (self.set is None):
            raise ValueError("either text or set must be given")
        return self


class BulkFilter(_Body):
    """Which jobs; each field that is given must match. `{}`: all, which needs expected_count."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"where": {"type": "null"}}},
                {"required": ["error"], "properties": {"error": {"type": "string"}}},
            ]
        }
    )

    status: Annotated[Status, Field(strict=False)] | None = None
    type: Name | None = None
    queue: Name | None = None
    tag: Name | None = None
    q: SearchText | None = None
    error: str | None = Field(None, min_length=1, json_schema_extra=_WITHOUT_NUL)
    """The name of the exception, as in GET /errors."""
    where: str | None = Field(None, json_schema_extra=_WITHOUT_NUL)
    """Where it was raised, as in GET /errors, with "" for its null; only with `error`."""

    @model_validator(mode="after")
    def _place_of_an_error(self) -> Self:
        if self.where is not None and self.error is None:
            raise ValueError("where needs error: every job that has not failed has no place")
        return self


def _has(field: str, schema: JsonDict) -> JsonDict:
    """Return the JSON Schema of an object whose `field` is there and is as `schema` says."""
    return {"required": [field], "properties": {field: schema}}


class BulkChange(Reason):
    """One action on every job of a filter that allows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [  # api/routes/job_actions.py checks it
                _has(
                    "filter",
                    {"anyOf": [_has(name, {"type": "string"}) for name in BulkFilter.model_fields]},
                ),
                _has("expected_count", {"type": "integer"}),
                _has("dry_run", {"const": True}),
            ]
        }
    )

    action: Annotated[BulkAction, Field(strict=False)]
    filter: BulkFilter
    max_id: Id | None = None
    """Leave newer jobs alone: those not yet seen."""
    expected_count: Count | None = None
    """Do nothing (409) if not exactly so many match."""
    dry_run: bool = False
    """Only count them."""


class Login(_Body):
    """What opens a session."""

    token: str = Field(min_length=1, max_length=4096, json_schema_extra=_WITHOUT_NUL)


# Queries.


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

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
    q: SearchText | None = None
    limit: int = Field(50, ge=1, le=500)
    """A page of more than 8 MiB ends earlier."""
    cursor: Cursor | None = None
    preview: bool = False
    """Payload and result are texts: the first 200 characters of their JSON."""


class ConfigurationQuery(BaseModel):
    """Whether to write."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    check: bool = False
    """Only tell the problems, and what would restart."""


class AuditQuery(_Query):
    """Which part of the audit log."""

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
    limit: int = Field(1000, ge=1, le=1000)
    host: str | None = Field(None, max_length=255)
    """Which host is meant; needed only if several have that slot."""


class JobEventsQuery(_Query):
    """Which events of a job."""

    after: int = Field(0, ge=0, le=LARGEST_ID)
    """Events with a greater seq only."""
    limit: int = Field(500, ge=1, le=500)
