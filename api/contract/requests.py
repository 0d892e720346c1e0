"""What the API takes in the body of a request, as pydantic models; the queries are in queries.py.

Unknown fields are refused, and nothing is converted: `"5"` is not an integer. The docstrings of
the fields become their descriptions in /openapi.json.
"""

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

from orpheus.shared.domain.hidden import MASK
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
from orpheus.shared.domain.steps import MAX_SIGNAL_KEY_CHARS, MAX_STEP_NAME_CHARS
from orpheus.shared.durations import LONGEST_S, parse_duration_s
from orpheus.shared.durations import PATTERN as DURATION_PATTERN
from orpheus.shared.job_types.request import conflicts
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.operations.configuration import LONGEST_TEXT
from orpheus.shared.storage import BulkAction

MOST_CHOSEN = 10_000
"""How many jobs one call may choose by their ids."""
_NONE: Any = ()
"""The default of a list. Copying a list each time would take pydantic longer than all checks."""
WITHOUT_NUL: JsonDict = {"pattern": r"^[^\u0000]*$"}
"""Only for the document: api/http/strict_json.py refuses NUL before any field is checked."""


def _more_than_zero(duration_s: float) -> float:
    if duration_s == 0:
        raise ValueError("must be more than 0")
    return duration_s


def time_ms(value: Any) -> int:
    """Return a time in milliseconds. Raises ValueError for anything but such a text."""
    if not isinstance(value, str):
        raise ValueError("must be text such as 2026-01-31T12:00:00Z")
    return parse_time_ms(value)


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


def no_nul(text: str) -> str:
    """Return the text. Raises ValueError if it has a NUL."""
    if "\0" in text:
        raise ValueError("contains a NUL character")
    return text


def _text(most: int | None = None) -> Any:
    """Return the field of a text of 1 to `most` characters, which may be missing."""
    return Field(None, min_length=1, max_length=most, json_schema_extra=WITHOUT_NUL)


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
    int, BeforeValidator(time_ms), WithJsonSchema({"type": "string", "format": "date-time"})
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
        description="A phrase in type, payload, error or tags.",
        json_schema_extra=WITHOUT_NUL,
    ),
    AfterValidator(no_nul),
]
PayloadFields = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description='Payload fields by value: customer=4711 order.name="A B" paid=true. Without '
        "quotes, a number, true, false and null keep their type; anything else is text.",
        json_schema_extra=WITHOUT_NUL,
    ),
    AfterValidator(no_nul),
]
Cursor = Annotated[str, Field(max_length=128, description="A `next_cursor`.")]


# Bodies.


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


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
    unique_key: str | None = _text(MAX_UNIQUE_KEY_CHARS)
    """While a job with this key is live, submitting again answers with that job."""
    concurrency_key: str | None = _text(MAX_UNIQUE_KEY_CHARS)
    """Jobs of a queue with the same key share the queue's limits per key."""
    tags: list[Name] = Field(_NONE, max_length=MAX_TAGS)
    on_dependency_failure: Literal["cancel", "run", "fail"] = "cancel"
    """What becomes of it when a job it depends on does not end done."""
    expires: Annotated[DurationS, AfterValidator(_more_than_zero)] | None = None
    """If it has not started so long after its time (or its submission), it is cancelled."""
    unique_for: Annotated[DurationS, AfterValidator(_more_than_zero)] | None = None
    """Its unique key stays taken for so long after the submission, also if it has ended."""
    on_duplicate: Literal["keep", "replace"] | None = None
    """`replace`: a job with the unique key that has not started gets this payload and time."""
    retention: DurationS | None = None
    """How long it is kept after it is done; 0: it is deleted then. Default: the type's, or as
    [retention] says."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.delay is None and self.unique_for is None and self.on_duplicate is None:
            return self
        for problem in conflicts(self.__dict__):
            raise ValueError(problem)
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

    reason: str | None = _text(LONGEST_REASON)


class RetryJob(Reason):
    """From where to run a durable function again, and why."""

    from_step: str | None = _text(MAX_STEP_NAME_CHARS)
    """Forget this step and those kept after it. Default: it goes on behind what it has kept."""


class SendSignal(_Body):
    """A signal to send."""

    name: Name
    key: str = Field(min_length=1, max_length=MAX_SIGNAL_KEY_CHARS, json_schema_extra=WITHOUT_NUL)
    payload: Any = None
    """What the function that waits gets: up to 1 MiB of JSON."""
    replace: bool = False
    """If it was sent before, functions that have not received it get this payload instead."""


class Acknowledge(Reason):
    """For how long a problem need not ask for attention, and why."""

    subject: str | None = None
    """The name of what it is about, if there are several problems with this code."""
    for_s: Annotated[DurationS, AfterValidator(_more_than_zero)] = Field(alias="for")
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, json_schema_extra=WITHOUT_NUL)


class Unacknowledge(Reason):
    """Which acknowledgement to withdraw."""

    subject: str = ""


class Scale(Reason):
    """How many workers a pool is to have."""

    workers: Size


class PutSchedule(Reason):
    """A schedule of a program, with the fields of `[[schedules]]`: either `cron` or `every`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"every": "15m", "type": "sum_range", "payload": {"n": 9}},
            "oneOf": [
                {"required": [way], "properties": {other: {"type": "null"}}}
                for way, other in (("cron", "every"), ("every", "cron"))
            ],
        }
    )

    type: Name
    payload: dict[str, Any] = {}
    cron: str | None = _text(200)
    every: DurationS | None = None
    """At least 1 s."""
    timezone: str = Field("UTC", max_length=100, json_schema_extra=WITHOUT_NUL)
    """That of `cron`."""
    queue: Name | None = None
    """Default: the type's, or `default`."""
    priority: Priority = 0
    catch_up: Literal["one", "none", "all"] = "one"
    """Which of the jobs to make that were missed while Orpheus was stopped."""
    overlap: Literal["allow", "skip"] = "allow"
    """`skip`: make no job while the last one has not ended."""
    jitter: DurationS = 0
    """Each job waits for a random time up to this."""


class EditConfiguration(Reason):
    """A new text of the configuration file, or an earlier version."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [way], "properties": {other: {"type": "null"}}}
                for way, other in (("text", "version"), ("version", "text"))
            ]
        }
    )

    text: str | None = Field(
        None,
        max_length=LONGEST_TEXT,
        description=f"TOML. {MASK} stands for the secret that is there, as GET /config shows it.",
    )
    version: Id | None = None
    """Go back to this one of GET /config/versions, with the secrets that it had."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.text is None) == (self.version is None):
            raise ValueError("either text or version must be given")
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
    unique_key: str | None = _text(MAX_UNIQUE_KEY_CHARS)
    payload: PayloadFields | None = None
    q: SearchText | None = None
    error: str | None = _text()
    """The name of the exception, as in GET /errors."""
    where: str | None = Field(None, json_schema_extra=WITHOUT_NUL)
    """Where it was raised, as in GET /errors, with "" for its null; only with `error`."""
    since: TimeMs | None = None
    """Only jobs that ended then or later."""
    until: TimeMs | None = None
    """Only jobs that ended before."""
    ids: list[Id] | None = Field(None, min_length=1, max_length=MOST_CHOSEN)
    """Only these jobs."""


_NOT_NULL: JsonDict = {"type": ["string", "array"]}


def _has(field: str, schema: JsonDict) -> JsonDict:
    """Return the JSON Schema of an object with a `field` that fits `schema`."""
    return {"required": [field], "properties": {field: schema}}


class BulkChange(Reason):
    """One action on every job of a filter that allows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [  # api/routes/job_actions.py checks it
                _has(
                    "filter",
                    {"anyOf": [_has(name, _NOT_NULL) for name in BulkFilter.model_fields]},
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
    """Do nothing (409) if not exactly so many match, or see `or_fewer`."""
    or_fewer: bool = False
    """Do nothing only if more than `expected_count` match, or none: jobs of a queue that runs end
    meanwhile."""
    dry_run: bool = False
    """Only count them."""

    @model_validator(mode="after")
    def _with_what_they_need(self) -> Self:
        if self.or_fewer and self.expected_count is None:
            raise ValueError("or_fewer needs expected_count: without it, nothing is compared")
        return self


class Login(_Body):
    """What opens a session."""

    token: str = Field(min_length=1, max_length=4096, json_schema_extra=WITHOUT_NUL)
