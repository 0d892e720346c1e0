"""The bodies and queries the API takes, checked strictly, and the shapes it answers with.

Requests forbid unknown fields and convert nothing: `"5"` is no integer. The answers are written
by api/wire.py; their models here are what /openapi.json tells of them, and a test holds the two
equal.
"""

import re
from datetime import UTC, datetime
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

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.limits import MAX_UNIQUE_KEY_CHARS, NAME
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.requests import MOST_WORKERS
from orpheus.shared.durations import LONGEST_S, parse_duration_s
from orpheus.shared.operations.audit import LONGEST_REASON
from orpheus.shared.operations.configuration import LONGEST_TEXT, MASK
from orpheus.shared.storage import BulkAction

LARGEST_ID = 2**63 - 1
MAX_BATCH_JOBS = 10_000
MAX_DEPENDENCIES = 10_000
LONGEST_WAIT_S = 300
"""A request that asks to wait for longer is answered after so many seconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_TIME_MS = 253_402_300_799_999  # the last millisecond of year 9999, the last one ISO can say


_WITHOUT_NUL: JsonDict = {"pattern": r"^[^\u0000]*$"}
"""For the document: the gate before all fields refuses NUL."""


def _more_than_zero(duration_s: float) -> float:
    if duration_s == 0:
        raise ValueError("must be more than 0")
    return duration_s


def _time_ms(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("must be text such as 2026-01-31T12:00:00Z")
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is no RFC 3339 time; write 2026-01-31T12:00:00Z") from None
    if at.tzinfo is None:
        raise ValueError("lacks its time zone; end it with Z or an offset such as +01:00")
    since = at - _EPOCH
    at_ms = since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    if not 0 <= at_ms <= _LATEST_TIME_MS:
        raise ValueError("must be from 1970 to 9999")
    return at_ms


Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
"""What types, queues and tags are called."""
DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": LONGEST_S},
                {"type": "string", "pattern": r"^([0-9]{1,7}(ms|s)|[0-9]{1,5}m)$"},
            ],
            "description": "Seconds, or a text such as 500ms, 30s, 15m, 2h, 7d; up to 365 days.",
        }
    ),
]
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def _number_in_a_query(value: Any) -> Any:
    """A query has text alone; what JSON would take for a number is one (`1e-3`)."""
    is_number = isinstance(value, str) and _JSON_NUMBER.fullmatch(value)
    return float(value) if is_number else value


TimeMs = Annotated[
    int,
    BeforeValidator(_time_ms),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 8.0 is an integer, as JSON Schema has it."""
    return int(value) if type(value) is float and value.is_integer() else value


Id = Annotated[int, Field(ge=1, le=LARGEST_ID), BeforeValidator(_whole)]
Priority = Annotated[int, Field(ge=-1000, le=1000), BeforeValidator(_whole)]
Retries = Annotated[int, Field(ge=0, le=100), BeforeValidator(_whole)]
Size = Annotated[int, Field(ge=0, le=MOST_WORKERS), BeforeValidator(_whole)]
Count = Annotated[int, Field(ge=0, le=LARGEST_ID), BeforeValidator(_whole)]


def _id_or_ref(value: Any) -> int | str:
    value = _whole(value)
    if type(value) is int and 1 <= value <= LARGEST_ID:
        return value
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise ValueError("must be the id of a job, or the ref of an item of this batch")


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


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _NewJob(_Request):
    """What a job is asked for with, alone or in a batch."""

    type: Name = Field(description="One of GET /types.")
    payload: dict[str, Any] = Field({}, description="What the type's schema asks for.")
    queue: Name | None = Field(None, description="Default: the type's, or `default`.")
    priority: Priority = Field(0, description="The higher runs first.")
    delay: DurationS | None = Field(None, description="Run so long from now; not with run_at.")
    run_at: TimeMs | None = Field(None, description="Run then; not with delay.")
    max_retries: Retries | None = Field(None, description="Default: the type's.")
    timeout: Annotated[DurationS, AfterValidator(_more_than_zero)] | None = Field(
        None, description="Of one attempt; more than 0. Default: the type's."
    )
    unique_key: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_UNIQUE_KEY_CHARS,
        description="While a job with this key is live, submitting again answers with that job.",
        json_schema_extra=_WITHOUT_NUL,
    )
    tags: list[Name] = Field([], max_length=32)
    on_dependency_failure: Literal["cancel", "run", "fail"] = Field(
        "cancel", description="What becomes of it when a job it depends on does not end done."
    )

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

    depends_on: list[Id] = Field(
        [], max_length=MAX_DEPENDENCIES, description="Ids of jobs that must be done before."
    )


class BatchJob(_NewJob):
    """A job of a batch."""

    ref: Name | None = Field(None, description="What other items of the batch call this one.")
    depends_on: list[IdOrRef] = Field(
        [],
        max_length=MAX_DEPENDENCIES,
        description="Ids of jobs, and refs of items of the batch, that must be done before.",
    )


class SubmitBatch(_Request):
    """Jobs to submit together: all of them, or none."""

    jobs: list[BatchJob] = Field(min_length=1, max_length=MAX_BATCH_JOBS)


class Reason(_Request):
    """Why an operator does something; it stands in GET /audit."""

    reason: str | None = Field(
        None, min_length=1, max_length=LONGEST_REASON, json_schema_extra=_WITHOUT_NUL
    )


class Scale(Reason):
    """How many workers a pool is to have."""

    workers: Size


def _either(one: str, one_type: str, other: str) -> dict[str, Any]:
    """In JSON Schema: `one` is given, and `other` is not."""
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
        description=f"TOML. {MASK} in a command's env stands for the secret that is there.",
    )
    set: dict[str, Any] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="Settings by their dotted names; null takes one out of the file. The rest of "
        "the text stays as it is, with its comments.",
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.text is None) == (self.set is None):
            raise ValueError("either text or set must be given")
        return self


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("contains a NUL character")
    return text


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


class BulkFilter(_Request):
    """Which jobs; each field that is given must match. `{}`: all."""

    status: Annotated[Status, Field(strict=False)] | None = None
    type: Name | None = None
    queue: Name | None = None
    tag: Name | None = None
    q: SearchText | None = None


class BulkChange(Reason):
    """One action on every job of a filter that it can be done to."""

    action: Annotated[BulkAction, Field(strict=False)]
    filter: BulkFilter
    max_id: Id | None = Field(None, description="Leave newer jobs alone: those not yet seen.")
    expected_count: Count | None = Field(
        None, description="Do nothing (409) if not exactly so many match."
    )
    dry_run: bool = Field(False, description="Only count them.")


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: Any) -> Any:
        """A field that a form left empty (`?status=`) is not given."""
        if not isinstance(given, dict):
            return given
        return {k: value for k, value in given.items() if value != "" or k not in cls.model_fields}


Cursor = Annotated[str, Field(max_length=64, description="A `next_cursor`.")]


class JobsQuery(_Query):
    """Which jobs to list."""

    status: Status | None = None
    type: Name | None = None
    queue: Name | None = None
    tag: Name | None = None
    q: SearchText | None = None
    limit: int = Field(50, ge=1, le=500)
    cursor: Cursor | None = None


class ConfigurationQuery(BaseModel):
    """Whether to write."""

    model_config = ConfigDict(extra="forbid")

    check: bool = Field(False, description="Only tell the problems, and what would restart.")


class AuditQuery(_Query):
    """Which part of the trail."""

    limit: int = Field(50, ge=1, le=500)
    cursor: Cursor | None = None


class JobQuery(_Query):
    """How long to wait for the job's end."""

    wait: Annotated[DurationS, BeforeValidator(_number_in_a_query)] = Field(
        0, description=f"Seconds, or a text such as 30s; after {LONGEST_WAIT_S} s the job is told."
    )


class LogsQuery(_Query):
    """Which lines of a log."""

    after: int = Field(0, ge=0, le=LARGEST_ID, description="Lines with a greater id only.")
    limit: int = Field(1000, ge=1, le=1000)


class JobEventsQuery(_Query):
    """Which events of a job."""

    after: int = Field(0, ge=0, le=LARGEST_ID, description="Events with a greater seq only.")
    limit: int = Field(500, ge=1, le=500)


# Answers.


class FieldError(BaseModel):
    """One field that is not valid."""

    pointer: str = Field(description="JSON pointer to the field.")
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class ErrorSummary(BaseModel):
    """Why an attempt failed, in a line."""

    type: str
    message: str


class Error(ErrorSummary):
    """Why an attempt failed."""

    traceback: str | None


class Attempt(BaseModel):
    """One run of a job."""

    number: int
    outcome: Outcome | None = Field(description="null while it runs.")
    worker: str
    pid: int
    started_at: datetime
    finished_at: datetime | None
    error: Error | None


class JobSummary(BaseModel):
    """A job as events carry it: as it was right after the event."""

    id: int
    type: str
    status: Status
    queue: str
    priority: int
    error: ErrorSummary | None
    attempt: int = Field(description="Number of the newest attempt, 0 if there was none.")
    max_retries: int
    timeout: float = Field(description="Seconds.")
    progress: float | None
    message: str | None
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    unique_key: str | None
    depends_on: list[int]
    tags: list[str]
    cancel_requested: bool


class Job(JobSummary):
    """A job as it stands."""

    payload: Any
    result: Any
    error: Error | None


class JobWithAttempts(Job):
    """A job with its attempts, oldest first."""

    attempts: list[Attempt]


class Total(BaseModel):
    """How many match: exactly (`eq`), or at least so many (`gte`)."""

    value: int
    relation: Literal["eq", "gte"]


class JobPage(BaseModel):
    """Jobs, newest first."""

    items: list[Job]
    next_cursor: str | None = Field(description="null on the last page.")
    total: Total


class Ids(BaseModel):
    """The ids of a batch, in its order."""

    ids: list[int]


class Changed(BaseModel):
    """How many jobs were changed; with `dry_run`, how many would be."""

    changed: int


class AuditEntry(BaseModel):
    """What an operator did."""

    id: int
    at: datetime
    action: str
    target: str = Field(description="`job 7`, `queue mail`, `slot default-1`, `jobs with …`.")
    by: str = Field(description="`api:` and the client's address, or `cli:` and the user's name.")
    reason: str | None
    count: int = Field(description="How many things it changed.")


class AuditPage(BaseModel):
    """Operators' actions, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None = Field(description="null on the last page.")


class LogLine(BaseModel):
    """One line a job wrote."""

    id: int
    attempt: int
    at: datetime
    level: str
    line: str
    fields: dict[str, Any]


class LogLines(BaseModel):
    """Lines of a job's log, oldest first."""

    items: list[LogLine]


class Event(BaseModel):
    """A change, with the job as it was right after it."""

    seq: int
    at: datetime
    kind: Kind
    job: JobSummary


class Events(BaseModel):
    """Events of a job, oldest first."""

    items: list[Event]


class RunningJob(BaseModel):
    """What a worker is doing."""

    id: int
    type: str
    progress: float | None
    message: str | None
    started_at: datetime | None


class LastExit(BaseModel):
    """How one life of a slot ended."""

    at: datetime
    reason: str
    signal: str | None
    code: int | None
    evidence: str | None = Field(description="What is known of why: a stack, a line.")
    uptime_s: float = Field(description="How long that life was.")
    out_of_memory: bool | None = Field(
        description="Whether the kernel killed it for memory; null where that cannot be told."
    )


class WorkerSummary(BaseModel):
    """A slot of the supervisor, or a process that runs alone."""

    slot: str
    pool: str | None
    state: SlotState
    degraded: bool
    reason: str
    pid: int | None
    incarnation: str | None
    job: RunningJob | None
    heartbeat_age_s: float | None
    cpu_percent: float | None
    rss_bytes: int | None
    uptime_s: float | None
    jobs_done: int
    restarts: int
    last_exit: LastExit | None


class Worker(WorkerSummary):
    """A slot or a process that runs alone, with how its earlier lives ended."""

    recent_exits: list[LastExit] = Field(description="The newest first; `last_exit` is its head.")


class Workers(BaseModel):
    """Every slot, the API's and the supervisor's too."""

    items: list[Worker]


class PoolSize(BaseModel):
    """What a pool was asked to grow or shrink to."""

    pool: str
    workers: int


class Stack(BaseModel):
    """Where the code of a process stands."""

    slot: str
    pid: int
    incarnation: str
    job: RunningJob | None
    at: datetime
    stack: str = Field(description="Every thread's Python frames, the latest call first.")


class TypeDefaults(BaseModel):
    """What a job of this type gets when its request does not say."""

    queue: str
    max_retries: int
    timeout: float


class JobType(BaseModel):
    """A job type."""

    model_config = ConfigDict(protected_namespaces=())

    name: str
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of the payload.")
    defaults: TypeDefaults
    description: str


class JobTypes(BaseModel):
    """Every job type the configured modules define."""

    items: list[JobType]


Counts = dict[Status, int]


class Queue(BaseModel):
    """A queue that has had a job, a pause or a limit."""

    name: str
    paused: bool
    max_running: int = Field(description="0: no limit.")
    rate: str = Field(description="`10/s`; empty: no limit.")
    counts: Counts
    oldest_pending_s: float | None
    done_per_minute: float


class Queues(BaseModel):
    """Every queue that has had a job, a pause or a limit, by name."""

    items: list[Queue]


class Schedule(BaseModel):
    """A schedule of the configuration; either `cron` or `every` is not null."""

    name: str
    type: str
    cron: str | None
    every: float | None = Field(description="Seconds.")
    timezone: str
    paused: bool
    last_run: datetime | None
    last_job: int | None
    next_runs: list[datetime] = Field(description="The next five; none while it is paused.")


class Schedules(BaseModel):
    """Every schedule, by name."""

    items: list[Schedule]


class Setting(BaseModel):
    """A setting in force."""

    key: str
    value: Any
    origin: str = Field(description="`default`, `config/orpheus.toml:12`, a variable, `--set`.")


class SettingProblem(BaseModel):
    """One thing to mend in the configuration."""

    key: str = Field(description="Empty where it is the whole text.")
    detail: str
    place: str | None = Field(description="The file and line, the variable, or `--set`.")
    line: int | None = Field(description="Of the file's text.")


class Configuration(BaseModel):
    """The configuration in force, and the file that can be edited."""

    path: str | None
    text: str | None = Field(description="The file's text, its secrets masked.")
    etag: str | None = Field(description="The state of the file, as the header ETag quotes it.")
    masked: int = Field(description="How many secrets the text does not show.")
    obstacle: str | None = Field(description="Why it cannot be edited here, and what to do.")
    settings: list[Setting] = Field(
        description="Empty while the file has problems: what was last read well is in force."
    )
    problems: list[SettingProblem]
    warnings: list[SettingProblem] = Field(description="What would not keep it from being taken.")
    rejected: str | None = Field(
        description="Why the supervisor goes on with an earlier configuration, if it does."
    )


class ConfigurationChange(BaseModel):
    """What an edit leads to. The lists are null where there is nothing to compare with."""

    written: bool
    etag: str = Field(description="The state of the file, as the header ETag quotes it.")
    problems: list[SettingProblem]
    warnings: list[SettingProblem]
    refused: list[str] = Field(description="Settings that can only be changed on the machine.")
    text: str | None = Field(description="The new text, its secrets masked; null with problems.")
    changed: list[str] | None = Field(description="Settings that would have other values.")
    restarts: list[str] | None = Field(description="Slots whose process would be replaced.")
    starts: list[str] | None
    stops: list[str] | None
    takes_effect: str = Field(description="When what is written is in force.")


class Finished(BaseModel):
    """Jobs that ended in a span of time."""

    done: int
    failed: int
    cancelled: int


class Minute(Finished):
    """Jobs that ended in the minute that began at `at`."""

    at: datetime


class Throughput(BaseModel):
    """Jobs that ended lately."""

    last_5_min: Finished
    last_hour: Finished
    by_minute: list[Minute] = Field(description="The last 60 minutes, oldest first.")


class Latency(BaseModel):
    """Percentiles over the newest 1,000 jobs that ended, in seconds."""

    p50: float | None
    p95: float | None


class Stats(BaseModel):
    """Figures of the whole system."""

    counts: Counts
    throughput: Throughput
    wait_s: Latency = Field(description="From due to started.")
    run_s: Latency = Field(description="Of the last attempt.")
    oldest_pending_s: float | None
    database_bytes: int
    wal_bytes: int


class Login(_Request):
    """What opens a session."""

    token: str = Field(min_length=1, max_length=4096, json_schema_extra=_WITHOUT_NUL)


class Session(BaseModel):
    """How the caller was let in. `ends_at`: of a session; null for a token, or where none is."""

    read_only: bool
    ends_at: str | None


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"]


class Check(BaseModel):
    """One condition of readiness."""

    status: Literal["ok", "degraded", "failed"]
    detail: str


class Readiness(BaseModel):
    """Whether jobs are accepted and run."""

    status: Literal["ready", "degraded", "not_ready"]
    checks: dict[str, Check]
