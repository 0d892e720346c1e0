"""Make the plan from the settings: a ProcessSpec for each slot, and the rules of the policy.

A fingerprint holds everything that must restart a child when it changes, and nothing else: two
specs with the same fingerprint run the same process.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from orpheus.config.changes import worker_runs_on
from orpheus.config.files import tokens_digest
from orpheus.config.handovers import for_api, for_programs, for_worker
from orpheus.config.settings import Settings
from orpheus.shared.domain.processes import API_SLOT, Role
from orpheus.shared.domain.programs import ProgramSettings
from orpheus.supervisor.policy.fleet import WantedSlot
from orpheus.supervisor.policy.slot import Rules, Slot

_API_ARGV = (sys.executable, "-m", "orpheus.api")
_WORKER_ARGV = (sys.executable, "-m", "orpheus.worker")
_KILL_AFTER_STOP_S = 2.0  # a worker releases its unfinished jobs at its stop timeout
_Owner = tuple[Role, str | None] | None
"""Whose rules. With the role, as a pool may become a program of the same name; None: nobody's."""


class ProcessSpec(WantedSlot, frozen=True, kw_only=True):
    """A slot, and how to start its process. `handover` is sent over its control channel."""

    argv: tuple[str, ...]
    handover: Mapping[str, Any] = msgspec.field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    has_terminal: bool = False
    """It reads from the supervisor's own standard input."""
    program: ProgramSettings | None = None
    """The settings if it is a program of [[programs]]; None: one of our own processes."""


class Plan(msgspec.Struct, frozen=True):
    """What should run. `rules` has those of each pool and program; None: those of the rest."""

    specs: Mapping[str, ProcessSpec]
    rules: Mapping[_Owner, Rules]
    shutdown_deadline_s: float
    exit_on_fatal: bool

    def rules_of(self, slot: Slot | None) -> Rules:
        """Return the rules of a slot; for None or an unknown slot, without the limits of a pool."""
        return self.rules.get(_owner(slot)) or self.rules[None]

    def after(self, before: "Plan", slots: Iterable[Slot]) -> "Plan":
        """Return this plan, with the rules of `before` for those of `slots` that it does not have.

        So a program that was removed still has its own time to stop.
        """
        owners = set(map(_owner, slots))
        gone = {owner: rules for owner, rules in before.rules.items() if owner in owners}
        return replace(self, rules={**gone, **self.rules})


def _owner(slot: Slot | None) -> _Owner:
    return None if slot is None else (slot.role, slot.pool)


def make_plan(
    settings: Settings,
    socket_fd: int | None,
    build: str,
    scaled: Mapping[str, int],
    sets: Sequence[str],
    *,
    debugs: bool = False,
) -> Plan:
    """Return the plan: the API (unless `socket_fd` is None), the workers of each pool, programs.

    `build` changes with the job modules; `scaled` holds the pools and programs that have
    another number of slots than configured; `sets` are the `--set` options. `debugs`: jobs have the
    terminal.
    """
    specs = [] if socket_fd is None else [_api_spec(settings, socket_fd, sets)]
    for name, pool in settings.pools.items():
        handover = for_worker(settings, name)
        settings_of_worker = msgspec.to_builtins(replace(handover, build=build, debugs=debugs))
        fingerprint = _digest([_WORKER_ARGV, msgspec.to_builtins(worker_runs_on(handover)), build])
        specs += [
            ProcessSpec(
                name=f"{name}-{number}",
                pool=name,
                role=Role.WORKER,
                argv=_WORKER_ARGV,
                handover={"slot": f"{name}-{number}", "settings": settings_of_worker},
                has_terminal=debugs,
                fingerprint=fingerprint,
            )
            for number in range(1, scaled.get(name, pool.workers) + 1)
        ]
    programs = for_programs(settings)
    specs += _program_specs(settings, programs, scaled)
    # Not while jobs have the terminal: two workers would read from it.
    common = replace(make_rules(settings), replacements_first=settings.jobs.watch and not debugs)
    rules: dict[_Owner, Rules] = {None: common}
    rules |= {(Role.WORKER, name): make_rules(settings, name) for name in settings.pools}
    rules |= {
        (Role.PROGRAM, name): _program_rules(common, program) for name, program in programs.items()
    }
    return Plan(
        specs={spec.name: spec for spec in specs},
        rules=rules,
        shutdown_deadline_s=settings.supervisor.shutdown_deadline,
        exit_on_fatal=settings.supervisor.on_fatal == "exit",
    )


def make_rules(settings: Settings, pool: str | None = None) -> Rules:
    """Return the configured durations and limits of the policy; None: without a pool's limits."""
    supervisor = settings.supervisor
    limits = settings.pools.get(pool) if pool is not None else None
    return Rules(
        start_timeout_s=supervisor.start_timeout,
        stop_timeout_s=supervisor.stop_timeout + _KILL_AFTER_STOP_S,
        drain_timeout_s=supervisor.drain_timeout,
        beat_interval_s=settings.heartbeats.interval,
        beat_timeout_s=settings.heartbeats.timeout,
        backoff_max_s=supervisor.restart_backoff_max,
        crash_loop_failures=supervisor.crash_loop_failures,
        crash_loop_window_s=supervisor.crash_loop_window,
        max_age_s=limits.max_age if limits else 0,
        max_memory_bytes=limits.max_memory_mb * 2**20 if limits else 0,
    )


def _program_specs(
    settings: Settings, programs: Mapping[str, ProgramSettings], scaled: Mapping[str, int]
) -> list[ProcessSpec]:
    return [
        ProcessSpec(
            name=f"{program.name}-{number}",
            pool=program.name,
            role=Role.PROGRAM,
            fingerprint=_digest(programs[program.name].runs_on()),
            after=programs[program.name].after,
            argv=program.argv,
            program=programs[program.name],
        )
        for program in settings.programs
        for number in range(1, scaled.get(program.name, program.instances) + 1)
    ]


def _program_rules(common: Rules, program: ProgramSettings) -> Rules:
    return replace(
        common,
        stop_timeout_s=program.stop_timeout_s,
        max_memory_bytes=program.max_memory_bytes,
        ready_after_s=program.ready_after_s,
        restart=program.restart,
    )


def _api_spec(settings: Settings, socket_fd: int, sets: Sequence[str]) -> ProcessSpec:
    handover = for_api(settings, supervised=True)
    runs_on = {
        "slot": API_SLOT,
        "settings": msgspec.to_builtins(handover),
        "socket_fd": socket_fd,
    }
    # For GET and PUT /config. Neither restarts the API, which reads the file at each call.
    source = {"config_file": settings.source and str(settings.source), "sets": list(sets)}
    return ProcessSpec(
        name=API_SLOT,
        pool=None,
        role=Role.API,
        argv=_API_ARGV,
        handover={**runs_on, **source},
        pass_fds=(socket_fd,),
        fingerprint=_digest([_API_ARGV, runs_on, tokens_digest(handover.token_files)]),
    )


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
