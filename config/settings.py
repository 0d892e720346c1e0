"""The tables of the configuration: every setting with its default and its range.

The models are frozen and refuse unknown keys. Durations are seconds as floats, sizes are bytes.
config/load.py fills them; config/checks.py holds the rules between settings.
"""

import json
import os
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.types import Strict

from orpheus.config.sources import Sources
from orpheus.config.values import (
    Argument,
    CheckUrl,
    CollectorUrl,
    Cron,
    DatabaseUrl,
    Flag,
    Function,
    Glob,
    HeaderName,
    HiddenPath,
    HostName,
    Integer,
    ListenUrl,
    Module,
    Name,
    Network,
    Origin,
    OutboxUrl,
    Pattern,
    PoolName,
    Priority,
    QueueName,
    Rate,
    Retries,
    RootPath,
    Seconds,
    SizeBytes,
    StopSignal,
    TableName,
    Timer,
    Timezone,
    TypeFilter,
    VariableName,
    WebhookUrl,
    sizes,
)
from orpheus.shared.domain.access import EVERYTHING
from orpheus.shared.domain.alerts import MOST_COUNTED, ErrorDetail
from orpheus.shared.domain.commands import fields_of
from orpheus.shared.domain.json_values import json_problems
from orpheus.shared.domain.programs import RestartPolicy
from orpheus.shared.domain.schedules import ONE_RHYTHM, TOO_OFTEN
from orpheus.shared.outbox.table import DEFAULT_TABLE


class Table(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Database(Table):
    """Where jobs are kept, what an acknowledged job survives, and where a host has its files."""

    url: DatabaseUrl = "sqlite:///data/orpheus.db"
    durability: Literal["power", "process"] = "power"
    state_dir: Argument = ""
    listen_url: ListenUrl = ""


class Token(Table):
    """A token with a role, and the queues and types that it may see."""

    name: Name
    file: Annotated[Argument, Field(min_length=1)]
    role: Literal["viewer", "submitter", "operator", "admin"]
    queues: Annotated[tuple[Glob, ...], Field(min_length=1)] = EVERYTHING
    types: Annotated[tuple[Glob, ...], Field(min_length=1)] = EVERYTHING


class ProxyAuth(Table):
    """The headers in which a proxy says who has logged in, and where it may call from."""

    header: HeaderName
    roles_header: HeaderName | Literal[""] = ""
    trusted: Annotated[tuple[Network, ...], Field(min_length=1)]


class Api(Table):
    """Where the API listens, and what it accepts."""

    enabled: Flag = True
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[Integer, Field(ge=0, le=65_535)] = 8000
    token_file: str = ""
    allowed_hosts: tuple[HostName, ...] = ()
    read_only: Flag = False
    max_body: SizeBytes = 2**20
    max_batch_body: SizeBytes = 16 * 2**20
    max_clients: Annotated[Integer, Field(ge=1, le=100_000)] = 1000
    cors_origins: tuple[Origin, ...] = ()
    root_path: RootPath = ""
    tokens: tuple[Token, ...] = ()
    proxy_auth: ProxyAuth | None = None


class Pool(Table):
    """Workers that serve the same queues."""

    workers: Annotated[Integer, Field(ge=0, le=1000)] = 1
    concurrency: Annotated[Integer, Field(ge=1, le=1000)] = 1
    queues: Annotated[tuple[QueueName, ...], Field(min_length=1)] = ("*",)
    max_jobs: Annotated[Integer, Field(ge=0)] = 0
    max_memory_mb: Annotated[Integer, Field(ge=0)] = 0
    max_age: Seconds = 0


class Queue(Table):
    """Limits of one queue."""

    max_running: Annotated[Integer, Field(ge=0)] = 0
    rate: Rate = ""
    burst: Annotated[Integer, Field(ge=1, le=1_000_000)] = 1
    max_running_per_key: Annotated[Integer, Field(ge=0)] = 0
    rate_per_key: Rate = ""
    paused: Flag = False


class Jobs(Table):
    """What a job gets when neither it nor its type says otherwise."""

    modules: tuple[Module, ...] = ("orpheus.worker.handlers",)
    around: tuple[Function, ...] = ()
    max_retries: Retries = 3
    timeout: Timer = 900
    backoff_base: Seconds = 1
    backoff_factor: Annotated[float, Strict(), Field(ge=1, le=100)] = 2
    backoff_max: Seconds = 600
    backoff_jitter: Annotated[float, Strict(), Field(ge=0, lt=1)] = 0.1
    cancel_grace: Seconds = 10
    quarantine_after: Annotated[Integer, Field(ge=0, le=1000)] = 5
    watch: Flag = False
    waits_long: Seconds = 30 * 86_400


class Leases(Table):
    """How long a worker may hold a job without renewing its lease, and how often it renews."""

    ttl: Timer = 30
    renew_every: Timer = 10
    ahead: Seconds = 0.02


class Heartbeats(Table):
    """How often a process sends a heartbeat, and without one for how long it counts as hung."""

    interval: Timer = 2
    timeout: Timer = 15


class Supervisor(Table):
    """How processes are started, stopped and restarted."""

    start_timeout: Timer = 60
    stop_timeout: Seconds = 25
    drain_timeout: Seconds = 300
    shutdown_deadline: Timer = 40
    restart_backoff_max: Timer = 30
    crash_loop_failures: Annotated[Integer, Field(ge=1, le=1_000_000)] = 6
    crash_loop_window: Timer = 180
    on_fatal: Literal["stay", "exit"] = "stay"
    watch_config: Flag = True


def _unquoted_time(value: Any) -> str | None:
    if isinstance(value, (date, time)):
        quoted = f'"{value.isoformat()}"'
        return f"is a date or time without quotes, which JSON does not have: write {quoted}"
    return None


def _json(payload: dict[str, Any]) -> dict[str, Any]:
    for path, problem in json_problems(payload, _unquoted_time):
        raise ValueError(f"{'.'.join(map(str, path))} {problem}")
    try:
        json.dumps(payload, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"is not JSON: {error}") from None
    return payload


class Schedule(Table):
    """A rule that submits jobs, by `cron` or `every`."""

    name: Name
    cron: Cron | None = None
    every: Timer | None = Field(None, validate_default=True)
    timezone: Timezone = "UTC"
    type: Name
    payload: Annotated[dict[str, Any], AfterValidator(_json)] = {}
    queue: Name | None = None
    priority: Priority = 0
    catch_up: Literal["one", "none", "all"] = "one"
    overlap: Literal["allow", "skip"] = "allow"
    jitter: Seconds = 0

    @field_validator("every")
    @classmethod
    def _one_rhythm(cls, every: float | None, others: ValidationInfo) -> float | None:
        """Check it with `cron`, even if other fields are wrong: all problems are told at once."""
        has_cron = others.data.get("cron", "one that is not valid") is not None
        if has_cron == (every is not None):
            raise ValueError(ONE_RHYTHM)
        if every is not None and every < 1:
            raise ValueError(TOO_OFTEN)
        return every


class Command(Table):
    """A job type that runs a program, never through a shell."""

    name: Name
    argv: Annotated[tuple[Argument, ...], Field(min_length=1)]
    timeout: Timer | None = None
    max_retries: Retries | None = None
    retention: Seconds | None = None
    cwd: Argument = ""
    env: dict[VariableName, Argument] = {}
    success_codes: Annotated[
        tuple[Annotated[Integer, Field(ge=0, le=255)], ...], Field(min_length=1)
    ] = (0,)

    @field_validator("argv")
    @classmethod
    def _fixed_program(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse a program from the payload, which may fill arguments only."""
        if not argv[0] or fields_of(argv[:1]):
            raise ValueError("must begin with a program, which cannot come from the payload")
        return argv


class Ready(Table):
    """How a program shows that it is ready: it answers, prints a line, or has run for a while."""

    model_config = ConfigDict(defer_build=False)  # it is a default

    http: CheckUrl | None = None
    line: Pattern | None = None
    after: Seconds | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Ready":
        if len([way for way in (self.http, self.line, self.after) if way is not None]) != 1:
            raise ValueError("needs one of http, line and after")
        return self


class Alive(Table):
    """How a program that is ready is checked."""

    http: CheckUrl
    every: Annotated[Seconds, Field(ge=0.1)] = 10
    failures: Annotated[Integer, Field(ge=1, le=1000)] = 3


class Program(Table):
    """A long-lived program that is kept running like a worker, never through a shell."""

    name: Name
    argv: Annotated[tuple[Argument, ...], Field(min_length=1)]
    instances: Annotated[Integer, Field(ge=0, le=1000)] = 1
    cwd: Argument = ""
    env: dict[VariableName, Argument] = {}
    env_file: Argument = ""
    restart: RestartPolicy = RestartPolicy.ALWAYS
    ready: Ready = Field(default_factory=lambda: Ready(after=1))
    alive: Alive | None = None
    after: tuple[Name, ...] = ()
    stop_signal: StopSignal = "TERM"
    stop_timeout: Seconds | None = None
    log_size: Annotated[SizeBytes, sizes(2**16)] = 10_000_000
    log_files: Annotated[Integer, Field(ge=1, le=1000)] = 5
    max_memory_mb: Annotated[Integer, Field(ge=0)] = 0

    @field_validator("argv")
    @classmethod
    def _names_a_program(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv[0]:
            raise ValueError("must begin with a program")
        return argv


class Alert(Table):
    """A rule that submits a job when something happened that somebody should know of."""

    name: Name
    on: Annotated[tuple[str, ...], Field(min_length=1)]
    types: Annotated[tuple[TypeFilter, ...], Field(min_length=1)] = ("*",)
    queues: Annotated[tuple[QueueName, ...], Field(min_length=1)] = ("*",)
    after: Annotated[Integer, Field(ge=1, le=MOST_COUNTED)] = 1
    within: Timer | None = None
    every: Annotated[Seconds, Field(ge=1)] = 300
    resolved: bool = False
    error: ErrorDetail = "type"
    type: Name | None = None
    payload: Annotated[dict[str, Any], AfterValidator(_json)] | None = None
    webhook: WebhookUrl | None = None


class Outbox(Table):
    """A table of an application's database whose rows become jobs."""

    name: Name
    url: OutboxUrl
    table: TableName = DEFAULT_TABLE
    poll: Annotated[Seconds, Field(ge=0.01)] = 1


class Retention(Table):
    """How long ended jobs and signals, and how many events, are kept."""

    done: Seconds = 7 * 86_400
    failed: Seconds = 30 * 86_400
    cancelled: Seconds = 7 * 86_400
    events: Annotated[Integer, Field(ge=1000)] = 1_000_000
    signals: Seconds = 7 * 86_400


class Privacy(Table):
    """Which fields of jobs of all types nobody sees but the job."""

    hide: tuple[HiddenPath, ...] = ()


class Logging(Table):
    """What is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Otel(Table):
    """Traces and figures for an OpenTelemetry collector: docs/otel.md."""

    enabled: Flag = False
    endpoint: CollectorUrl = ""


_TABLES = [
    "database", "api", "jobs", "leases", "heartbeats", "supervisor", "retention", "privacy",
    "logging", "otel",
]  # fmt: skip


class Settings(Table):
    """The whole configuration."""

    database: Database = Field(default_factory=Database)
    api: Api = Field(default_factory=Api)
    pools: Annotated[Mapping[PoolName, Pool], Field(min_length=1)] = Field(
        default_factory=lambda: {"default": Pool(workers=default_workers())}
    )
    queues: Mapping[Name, Queue] = {}
    jobs: Jobs = Field(default_factory=Jobs)
    leases: Leases = Field(default_factory=Leases)
    heartbeats: Heartbeats = Field(default_factory=Heartbeats)
    supervisor: Supervisor = Field(default_factory=Supervisor)
    schedules: tuple[Schedule, ...] = ()
    commands: tuple[Command, ...] = ()
    programs: tuple[Program, ...] = ()
    alerts: tuple[Alert, ...] = ()
    outboxes: tuple[Outbox, ...] = ()
    retention: Retention = Field(default_factory=Retention)
    privacy: Privacy = Field(default_factory=Privacy)
    logging: Logging = Field(default_factory=Logging)
    otel: Otel = Field(default_factory=Otel)
    _sources: Sources = PrivateAttr(default_factory=Sources)

    @property
    def sources(self) -> Sources:
        """What they were read from."""
        return self._sources

    @property
    def source(self) -> Path | None:
        """The file that they were read from; None without one."""
        return self._sources.file

    def remember(self, sources: Sources) -> None:
        """Note what the settings were read from."""
        self._sources = sources

    @model_validator(mode="before")
    @classmethod
    def _fill_tables(cls, values: Any) -> Any:
        """Check each table as a part of the whole: its own class then needs no validator."""
        empty: dict[str, Any] = {name: {} for name in _TABLES} | {"pools": {"default": {}}}
        return {**empty, **values} if isinstance(values, Mapping) else values

    @field_validator("pools", mode="before")
    @classmethod
    def _fill_default_pool(cls, pools: Any) -> Any:
        """Give the pool called `default` as many workers as there are CPUs."""
        if isinstance(pools, Mapping) and isinstance(pool := pools.get("default"), Mapping):
            return {**pools, "default": {"workers": default_workers(), **pool}}
        return pools


Settings.model_rebuild()  # at once: pydantic does not build one safely in several threads


def default_workers() -> int:
    """Return the workers of the default pool: one for each usable CPU, at least two."""
    return max(2, len(os.sched_getaffinity(0)))
