"""What a worker is told when it starts: plain data, sent as one JSON line over its control channel.

A worker started by the supervisor reads no configuration, so it needs no pydantic-settings
(18 MB) and runs on what the supervisor runs on, whatever the file says by now. A worker
started alone makes the same value from its own settings (config/settings.py).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.commands import CommandSettings
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.domain.retention import RetentionRules
from orpheus.shared.domain.schedules import ScheduleDefinition


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where the database is, how durable an acknowledged write is, and whom a commit wakes."""

    url: str
    durable: bool
    """True: an acknowledged job survives power loss (`durability = "power"`)."""
    pools: Mapping[str, tuple[str, ...]]
    """Pool name -> the queues it serves (`("*",)` for all): whose bell a commit rings."""
    backoff: BackoffRules = field(default_factory=BackoffRules)


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """What the configuration writes into the database, and how long what has ended stays there."""

    queues: Mapping[str, QueueRules]
    schedules: tuple[ScheduleDefinition, ...]
    default_max_retries: int
    default_timeout_s: float
    """The defaults of [jobs], for the jobs that schedules make; seconds."""
    retention: RetentionRules = field(default_factory=RetentionRules)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Everything a worker needs; durations in seconds."""

    storage: StorageSettings
    pool: str
    queues: tuple[str, ...]
    modules: tuple[str, ...]
    commands: tuple[CommandSettings, ...]
    default_max_retries: int
    default_timeout_s: float
    cancel_grace_s: float
    lease_ttl_s: float
    renew_every_s: float
    ahead_s: float
    beat_interval_s: float
    beat_timeout_s: float
    stop_timeout_s: float
    log_level: str
    log_format: str
    max_jobs: int = 0
    """After so many jobs it ends, to be replaced; 0: never."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "WorkerSettings":
        """The value `to_json` gave."""
        storage = data["storage"]
        return cls(
            **{
                **data,
                "storage": StorageSettings(
                    url=storage["url"],
                    durable=storage["durable"],
                    pools={name: tuple(queues) for name, queues in storage["pools"].items()},
                    backoff=BackoffRules(**storage["backoff"]),
                ),
                "queues": tuple(data["queues"]),
                "modules": tuple(data["modules"]),
                "commands": tuple(CommandSettings.from_json(one) for one in data["commands"]),
            }
        )
