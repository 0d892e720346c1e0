"""The settings that each program gets when it starts: plain data, made once by config/handovers.py.

The supervisor sends a child its handover as one JSON line over the control channel; a program that
was started alone makes the same value from its own settings. A supervised child therefore reads no
configuration, needs no models of them (18 MB), and runs on the settings that the supervisor runs
on, even if the file has changed since.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from orpheus.shared.domain.access import NamedToken, ProxyRules
from orpheus.shared.domain.alerts import AlertRule
from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.commands import CommandSettings
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.domain.schedules import ScheduleDefinition

T = TypeVar("T")


class StorageSettings(msgspec.Struct, frozen=True):
    """Where the database is, how durable a commit is, and which pools a commit wakes."""

    url: str
    durable: bool
    """True: an acknowledged job survives power loss (`durability = "power"`)."""
    pools: Mapping[str, tuple[str, ...]]
    """Pool name -> the queues it serves (`("*",)` for all): whose bell a commit rings."""
    backoff: BackoffRules = msgspec.field(default_factory=BackoffRules)
    quarantine_after: int = 0
    """How many crashes quarantine a job type; 0: none is ever quarantined."""
    state_dir: str = ""
    """The folder of this host's files of the database; empty: the default of its kind."""
    listen_url: str = ""
    """If `url` leads to a pooler of PostgreSQL connections: the URL that goes past it."""
    hide: tuple[str, ...] = ()
    """The fields that are hidden in jobs of all types."""


class JobDefaults(msgspec.Struct, frozen=True):
    """What [jobs] says for a type that has no default of its own."""

    max_retries: int
    timeout_s: float


class RetentionRules(msgspec.Struct, frozen=True):
    """How long a job is kept after its end, in seconds for each status, and how many events."""

    done_s: float = 7 * 86_400
    failed_s: float = 30 * 86_400
    cancelled_s: float = 7 * 86_400
    events: int = 1_000_000
    """The number of events to keep, the newest ones."""
    signals_s: float = 7 * 86_400
    """How long a signal is kept after it was sent."""


class StoredSettings(msgspec.Struct, frozen=True):
    """What the configuration writes into the database, and how long ended jobs are kept."""

    queues: Mapping[str, QueueRules]
    schedules: tuple[ScheduleDefinition, ...]
    defaults: JobDefaults
    """For the jobs that schedules and alerts make."""
    retention: RetentionRules = msgspec.field(default_factory=RetentionRules)
    alerts: tuple[AlertRule, ...] = ()
    hide: tuple[str, ...] = ()
    """For other processes on the database, whose configuration may not say it."""
    beat_timeout_s: float = 15.0
    """The names of those that are drained."""


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """What every child needs; durations in seconds."""

    storage: StorageSettings
    defaults: JobDefaults
    host_name: str
    """The host in the rows of this process."""
    beat_interval_s: float = 2.0
    beat_timeout_s: float = 15.0
    log_level: str = "info"
    log_format: str = "auto"
    otel_endpoint: str | None = None
    """Where spans and figures go; empty: the variables OTEL_* say it; None: nowhere."""


class WorkerHandover(Handover, frozen=True, kw_only=True):
    """Everything a worker needs; durations in seconds."""

    pool: str
    queues: tuple[str, ...]
    modules: tuple[str, ...]
    commands: tuple[CommandSettings, ...]
    cancel_grace_s: float
    lease_ttl_s: float
    renew_every_s: float
    ahead_s: float
    stop_timeout_s: float
    concurrency: int = 1
    """How many jobs the worker runs at once."""
    around: tuple[str, ...] = ()
    """`module:function` names of the context managers around each attempt."""
    max_jobs: int = 0
    """The worker ends after so many jobs, to be replaced; 0: never."""
    echoes_jobs: bool = False
    """Write what jobs log into the log of the worker, too."""
    debugs: bool = False
    """The worker's jobs have the terminal, and no timeout."""
    build: str = ""
    """The job types that the supervisor described before it started this worker: see `Types`."""


class ApiHandover(Handover, frozen=True, kw_only=True):
    """Everything the API needs; sizes in bytes, durations in seconds."""

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    root_path: str = ""
    """The prefix of all paths behind a proxy ("/jobs"); empty: none."""
    max_body_bytes: int = 1_048_576
    max_batch_body_bytes: int = 16_777_216
    max_clients: int = 1000
    read_only: bool = False
    waits_long_s: float = 30 * 86_400
    """A function that waits longer than this is a concern."""
    token_file: str = ""
    """The file that holds the admin's token; empty: there is none. Tokens are never handed over."""
    tokens: tuple[NamedToken, ...] = ()
    proxy: ProxyRules | None = None

    @property
    def token_files(self) -> tuple[str, ...]:
        """The files of all tokens."""
        return (self.token_file, *(token.file for token in self.tokens))

    supervised: bool = False
    """A supervisor started this process, so its slots are what GET /workers shows."""


class CommandLineHandover(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an operator's commands and a client need; durations in seconds."""

    storage: StorageSettings
    defaults: JobDefaults
    beat_timeout_s: float
    waits_long_s: float
    """A function that waits longer than this is a concern."""
    programs: tuple[str, ...]
    """The names of [[programs]]; the names of the pools are in `storage`."""
    finishes_within_s: float
    """After this long a worker that is to end releases the jobs that it has not finished."""
    api_host: str
    api_port: int
    max_body_bytes: int
    max_batch_body_bytes: int
