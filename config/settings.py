"""The tables of the configuration: every setting with its default and its range.

The models are frozen and refuse unknown keys. Durations are seconds as floats, sizes are bytes.
config/load.py fills them; config/checks.py holds the rules between settings.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic.types import Strict

from orpheus.shared.domain.commands import fields_of
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.domain.schedules import problem_of
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.outbox.table import DEFAULT_TABLE, TABLE, TABLE_RULE

_HOST = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_SIZE = re.compile(r"\s*([0-9]{1,12})\s*(B|KiB|MiB|GiB|)\s*", re.ASCII)
_PERCENT = re.compile(r"([!-$&-~]|%[0-9A-Fa-f]{2})*", re.ASCII)
"""Text of an URL: printable, and each % begins the code of a character."""
_UNITS_BYTES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def parse_size_bytes(value: object) -> int:
    """Return the bytes that `value` means: a number, or `"64KiB"`, `"1MiB"`, `"2GiB"`.

    Raises ValueError with a sentence for the user.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    size = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if size is None:
        raise ValueError('a size is bytes, or text such as "64KiB", "1MiB", "2GiB"')
    return int(size[1]) * _UNITS_BYTES[size[2]]


def _matching(pattern: str, rule: str) -> AfterValidator:
    """Return a check of text; `rule` is what a person is told instead of the pattern."""
    compiled = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(rule)
        return text

    return AfterValidator(check)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _variable_name(text: str) -> str:
    if not text or "=" in text or "\0" in text or text.startswith("_ORPHEUS_"):
        raise ValueError("is no name of an environment variable that can be set")
    return text


def _host_name(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(
            'must be a name, or name:port, as it stands in the address: "jobs.example"'
        )
    return text


def _origin(text: str) -> str:
    scheme, separator, host = text.partition("://")
    if scheme not in ("http", "https") or not separator or not _HOST.fullmatch(host):
        raise ValueError('must be an origin without a path: "https://tool.example"')
    return text


def _outbox_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/") and "\0" not in rest:
        return text
    if scheme not in ("postgresql", "postgres") or not separator or not _PERCENT.fullmatch(rest):
        raise ValueError(
            'must be "sqlite:///FILE" or "postgresql://USER@HOST/DATABASE", '
            "with %XX for special characters"
        )
    return text


Seconds = Annotated[float, BeforeValidator(parse_duration_s)]
Timer = Annotated[Seconds, Field(gt=0)]
SizeBytes = Annotated[int, BeforeValidator(parse_size_bytes), Field(ge=1, le=2**30)]
Integer = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
QueueName = Annotated[
    str, _matching(rf"\*|{NAME.pattern}", f'must be "*" for all queues, or a name: it {NAME_RULE}')
]
Name = Annotated[str, _matching(NAME.pattern, NAME_RULE)]
PoolName = Annotated[
    str,
    _matching(
        "[a-z][a-z0-9_]{0,63}",
        "must be named by up to 64 small letters, digits or _, beginning with a letter: mail_2",
    ),
]
Module = Annotated[
    str,
    _matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", 'must be the name of a Python module: "shop.jobs"'),
]
Function = Annotated[
    str,
    _matching(
        r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
        'must be a module and a function in it: "shop.tracing:around_job"',
    ),
]
Argument = Annotated[str, AfterValidator(_without_nul)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
HostName = Annotated[str, AfterValidator(_host_name)]
Origin = Annotated[str, AfterValidator(_origin)]
Rate = Annotated[
    str,
    _matching(
        "([1-9][0-9]{0,8}/[smhd])?",
        'must be a number of jobs and s, m, h or d: "10/s", "100/m", "5/h", "2/d"; "": no limit',
    ),
]
_POSTGRESQL = "postgres(ql)?://([!-$&-~]|%[0-9A-Fa-f]{2})*"
DatabaseUrl = Annotated[
    str,
    _matching(
        f"(?s)sqlite:///.+|{_POSTGRESQL}",
        'must be "sqlite:///FILE" (relative to where Orpheus is started), "sqlite:////FILE" or '
        '"postgresql://USER@HOST/DATABASE", with %XX for special characters',
    ),
]
ListenUrl = Annotated[
    str,
    _matching(
        f"({_POSTGRESQL})?",
        'must be "postgresql://USER@HOST/DATABASE", with %XX for special characters',
    ),
]
OutboxUrl = Annotated[str, AfterValidator(_outbox_url)]
TableName = Annotated[str, _matching(TABLE.pattern, TABLE_RULE)]
Retries = Annotated[Integer, Field(ge=0, le=100)]
Priority = Annotated[Integer, Field(ge=-1000, le=1000)]


class Table(BaseModel):
    """A table of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Database(Table):
    """Where jobs are kept, what an acknowledged job survives, and where a host has its files."""

    url: DatabaseUrl = "sqlite:///data/orpheus.db"
    durability: Literal["power", "process"] = "power"
    state_dir: Argument = ""
    listen_url: ListenUrl = ""


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


class Schedule(Table):
    """A rule that submits jobs, by `cron` or `every`."""

    name: Name
    cron: str | None = None
    every: Timer | None = None
    timezone: str = "UTC"
    type: Name
    payload: dict[str, Any] = {}
    queue: Name | None = None
    priority: Priority = 0
    catch_up: Literal["one", "none", "all"] = "one"

    @field_validator("payload")
    @classmethod
    def _json(cls, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(payload, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"is not JSON: {error}") from None
        return payload

    @model_validator(mode="after")
    def _one_rhythm(self) -> "Schedule":
        problem = problem_of(self.cron, self.every, self.timezone)
        if problem is not None:
            raise ValueError(problem)
        return self


class Command(Table):
    """A job type that runs a program, never through a shell."""

    name: Name
    argv: Annotated[tuple[Argument, ...], Field(min_length=1)]
    timeout: Timer | None = None
    max_retries: Retries | None = None
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


class Outbox(Table):
    """A table of an application's database whose rows become jobs."""

    name: Name
    url: OutboxUrl
    table: TableName = DEFAULT_TABLE
    poll: Annotated[Seconds, Field(ge=0.01)] = 1


class Retention(Table):
    """How long ended jobs, and how many events, are kept."""

    done: Seconds = 7 * 86_400
    failed: Seconds = 30 * 86_400
    cancelled: Seconds = 7 * 86_400
    events: Annotated[Integer, Field(ge=1000)] = 1_000_000


class Logging(Table):
    """What is logged, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(Table):
    """The whole configuration. `source` is the file it was read from, None without one."""

    database: Database = Database()
    api: Api = Api()
    pools: Annotated[Mapping[PoolName, Pool], Field(min_length=1)] = Field(
        default_factory=lambda: {"default": Pool(workers=default_workers())}
    )
    queues: Mapping[Name, Queue] = {}
    jobs: Jobs = Jobs()
    leases: Leases = Leases()
    heartbeats: Heartbeats = Heartbeats()
    supervisor: Supervisor = Supervisor()
    schedules: tuple[Schedule, ...] = ()
    commands: tuple[Command, ...] = ()
    outboxes: tuple[Outbox, ...] = ()
    retention: Retention = Retention()
    logging: Logging = Logging()
    source: Path | None = None

    @field_validator("pools", mode="before")
    @classmethod
    def _fill_default_pool(cls, pools: Any) -> Any:
        """Give the pool called `default` as many workers as there are CPUs."""
        if isinstance(pools, Mapping) and isinstance(pool := pools.get("default"), Mapping):
            return {**pools, "default": {"workers": default_workers(), **pool}}
        return pools


def default_workers() -> int:
    """Return the workers of the default pool: one for each usable CPU, at least two."""
    return max(2, len(os.sched_getaffinity(0)))
