"""Settings -> one ProcessSpec per slot: what to run, and what it is handed.

Everything that must restart a child when it changes is in its spec, and only that: two specs with
the same fingerprint run the same.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from config.settings import Settings, for_worker
from shared.processes import Role
from supervisor.slot import Rules

API_SLOT = "api"
_STOP_MARGIN_S = 2.0  # at its stop timeout a worker itself gives back what it has not finished


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """How to start the process of one slot. `handover` is sent over its control channel."""

    slot: str
    pool: str | None
    role: Role
    argv: tuple[str, ...]
    handover: Mapping[str, Any] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()

    def fingerprint(self) -> str:
        """Changes whenever a running process of this slot would have to be restarted."""
        content = json.dumps([self.argv, self.handover], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def make_specs(settings: Settings, socket_fd: int | None) -> list[ProcessSpec]:
    """The API first (None for `socket_fd`: without it), then every worker of every pool."""
    specs = [] if socket_fd is None else [_api_spec(settings, socket_fd)]
    for name, pool in settings.pools.items():
        handed = for_worker(settings, name).to_json()
        specs += [_worker_spec(name, number, handed) for number in range(1, pool.workers + 1)]
    return specs


def make_rules(settings: Settings) -> Rules:
    """The durations and bounds of the policy that are configured."""
    supervisor = settings.supervisor
    return Rules(
        start_timeout_s=supervisor.start_timeout,
        stop_timeout_s=supervisor.stop_timeout + _STOP_MARGIN_S,
        drain_timeout_s=supervisor.drain_timeout,
        beat_interval_s=settings.heartbeats.interval,
        beat_timeout_s=settings.heartbeats.timeout,
        backoff_max_s=supervisor.restart_backoff_max,
        crash_loop_failures=supervisor.crash_loop_failures,
        crash_loop_window_s=supervisor.crash_loop_window,
    )


def _api_spec(settings: Settings, socket_fd: int) -> ProcessSpec:
    return ProcessSpec(
        slot=API_SLOT,
        pool=None,
        role=Role.API,
        argv=(sys.executable, "-m", "api"),
        handover={
            "slot": API_SLOT,
            "settings": settings.model_dump(mode="json"),
            "socket_fd": socket_fd,
        },
        pass_fds=(socket_fd,),
    )


def _worker_spec(pool: str, number: int, handed: dict[str, Any]) -> ProcessSpec:
    slot = f"{pool}-{number}"
    return ProcessSpec(
        slot=slot,
        pool=pool,
        role=Role.WORKER,
        argv=(sys.executable, "-m", "worker"),
        handover={"slot": slot, "settings": handed},
    )
