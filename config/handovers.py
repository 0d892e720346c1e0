"""Make each program's handover from the settings, once, whether it runs alone or supervised."""

import json
from typing import TYPE_CHECKING, Any

from orpheus.config.files import env_file_digest
from orpheus.shared.domain.access import NamedToken, ProxyRules, Role, Scope
from orpheus.shared.domain.alerts import WEBHOOK_TYPE, AlertRule
from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.domain.commands import CommandSettings
from orpheus.shared.domain.handover import (
    ApiHandover,
    CommandLineHandover,
    JobDefaults,
    RetentionRules,
    StorageSettings,
    StoredSettings,
    WorkerHandover,
)
from orpheus.shared.domain.programs import ProgramSettings
from orpheus.shared.domain.rates import KeyRules, QueueRules, parse_rate
from orpheus.shared.domain.schedules import CatchUp, Overlap, ScheduleDefinition
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.operations.configuration import Sizes
from orpheus.shared.process.host import own_host

if TYPE_CHECKING:  # pydantic takes longer to import than a shell may wait for a completion
    from orpheus.config.settings import Alert, Program, Settings

_DEFAULT_PAYLOAD = {"text": "{text}"}
"""The payload of an alert's job whose rule has none."""


def for_storage(settings: "Settings") -> StorageSettings:
    """Return what `open_storage` needs."""
    return StorageSettings(
        url=settings.database.url,
        durable=settings.database.durability == "power",
        pools={name: pool.queues for name, pool in settings.pools.items()},
        backoff=BackoffRules(
            base_s=settings.jobs.backoff_base,
            factor=settings.jobs.backoff_factor,
            max_s=settings.jobs.backoff_max,
            jitter=settings.jobs.backoff_jitter,
        ),
        quarantine_after=settings.jobs.quarantine_after,
        state_dir=settings.database.state_dir,
        listen_url=settings.database.listen_url,
        hide=settings.privacy.hide,
    )


def for_jobs(settings: "Settings") -> JobDefaults:
    """Return what a job gets when neither it nor its type says otherwise."""
    return JobDefaults(settings.jobs.max_retries, settings.jobs.timeout)


def for_commands(settings: "Settings") -> tuple[CommandSettings, ...]:
    """Return the job types that run a program."""
    return tuple(
        CommandSettings(
            name=command.name,
            argv=command.argv,
            timeout_s=command.timeout,
            max_retries=command.max_retries,
            retention_s=command.retention,
            cwd=command.cwd,
            env=command.env,
            success_codes=command.success_codes,
        )
        for command in settings.commands
    )


def for_programs(settings: "Settings") -> dict[str, ProgramSettings]:
    """Return what each program runs on, by its name."""
    return {
        program.name: ProgramSettings(
            name=program.name,
            argv=program.argv,
            cwd=program.cwd,
            env=program.env,
            env_file=program.env_file,
            env_digest=env_file_digest(program.env_file),
            restart=program.restart,
            ready_http=program.ready.http,
            ready_line=program.ready.line,
            ready_after_s=program.ready.after,
            alive_http=program.alive.http if program.alive else None,
            alive_every_s=program.alive.every if program.alive else 0.0,
            alive_failures=program.alive.failures if program.alive else 0,
            after=program.after,
            stop_signal=program.stop_signal,
            stop_timeout_s=program_stop_timeout_s(program, settings),
            log_size_bytes=program.log_size,
            log_files=program.log_files,
            max_memory_bytes=program.max_memory_mb * 2**20,
        )
        for program in settings.programs
    }


def sizes_of(settings: "Settings") -> Sizes:
    """Return the pools and programs with their numbers."""
    return Sizes(
        pools={name: pool.workers for name, pool in settings.pools.items()},
        programs={program.name: program.instances for program in settings.programs},
        finishes_within_s=_finishes_within_s(settings),
        ends_within_s={
            program.name: program_stop_timeout_s(program, settings) for program in settings.programs
        },
    )


def _finishes_within_s(settings: "Settings") -> float:
    """Return for how long a worker that is drained or replaced goes on with its jobs, at most."""
    return settings.supervisor.drain_timeout + settings.supervisor.stop_timeout


def program_stop_timeout_s(program: "Program", settings: "Settings") -> float:
    """Return how long a program may take to stop: its own setting, else that of [supervisor]."""
    own = program.stop_timeout
    return settings.supervisor.stop_timeout if own is None else own


def for_database(settings: "Settings") -> StoredSettings:
    """Return what is written into the database, and how long ended jobs and events are kept."""
    return StoredSettings(
        queues={
            name: QueueRules(
                queue.paused,
                queue.max_running,
                parse_rate(queue.rate, queue.burst),
                KeyRules(queue.max_running_per_key, parse_rate(queue.rate_per_key, queue.burst)),
            )
            for name, queue in settings.queues.items()
        },
        schedules=tuple(
            ScheduleDefinition(
                name=schedule.name,
                type=schedule.type,
                cron=schedule.cron,
                every_s=schedule.every,
                timezone=schedule.timezone,
                payload=json.dumps(schedule.payload),
                queue=schedule.queue,
                priority=schedule.priority,
                catch_up=CatchUp(schedule.catch_up),
                overlap=Overlap(schedule.overlap),
                jitter_s=schedule.jitter,
            )
            for schedule in settings.schedules
        ),
        defaults=for_jobs(settings),
        retention=RetentionRules(
            done_s=settings.retention.done,
            failed_s=settings.retention.failed,
            cancelled_s=settings.retention.cancelled,
            events=settings.retention.events,
            signals_s=settings.retention.signals,
        ),
        alerts=tuple(_alert(alert) for alert in settings.alerts),
        hide=settings.privacy.hide,
        beat_timeout_s=settings.heartbeats.timeout,
    )


def _alert(alert: "Alert") -> AlertRule:
    """Return a rule; a webhook is a job like any other, which is told every fact."""
    payload = _DEFAULT_PAYLOAD if alert.payload is None else alert.payload
    if alert.webhook is not None:
        payload = {"url": alert.webhook, "body": "{alert}"}
    return AlertRule(
        name=alert.name,
        on=alert.on,
        types=alert.types,
        queues=alert.queues,
        after=alert.after,
        within_s=alert.within,
        every_s=alert.every,
        resolved=alert.resolved,
        error=alert.error,
        type=WEBHOOK_TYPE if alert.type is None else alert.type,
        payload=json.dumps(payload),
    )


def _for_every_child(settings: "Settings") -> dict[str, Any]:
    return {
        "storage": for_storage(settings),
        "defaults": for_jobs(settings),
        "host_name": own_host(),
        "beat_interval_s": settings.heartbeats.interval,
        "beat_timeout_s": settings.heartbeats.timeout,
        "log_level": settings.logging.level,
        "log_format": settings.logging.format,
        "otel_endpoint": settings.otel.endpoint if settings.otel.enabled else None,
    }


def for_api(settings: "Settings", *, supervised: bool) -> ApiHandover:
    """Return the handover of the API."""
    api, proxy = settings.api, settings.api.proxy_auth
    return ApiHandover(
        **_for_every_child(settings),
        host=api.host,
        port=api.port,
        allowed_hosts=api.allowed_hosts,
        cors_origins=api.cors_origins,
        root_path=api.root_path,
        max_body_bytes=api.max_body,
        max_batch_body_bytes=api.max_batch_body,
        max_clients=api.max_clients,
        read_only=api.read_only,
        waits_long_s=settings.jobs.waits_long,
        token_file=api.token_file,
        tokens=tuple(
            NamedToken(token.name, token.file, Role(token.role), Scope(token.queues, token.types))
            for token in api.tokens
        ),
        proxy=None
        if proxy is None
        else ProxyRules(proxy.header, proxy.roles_header, proxy.trusted),
        supervised=supervised,
    )


def for_command_line(settings: "Settings") -> CommandLineHandover:
    """Return what an operator's commands need."""
    return CommandLineHandover(
        storage=for_storage(settings),
        defaults=for_jobs(settings),
        beat_timeout_s=settings.heartbeats.timeout,
        waits_long_s=settings.jobs.waits_long,
        programs=tuple(program.name for program in settings.programs),
        finishes_within_s=_finishes_within_s(settings),
        api_host=settings.api.host,
        api_port=settings.api.port,
        max_body_bytes=settings.api.max_body,
        max_batch_body_bytes=settings.api.max_batch_body,
    )


def for_worker(settings: "Settings", pool: str) -> WorkerHandover:
    """Return the handover of a worker of `pool`.

    Raises ConfigurationError if there is no such pool.
    """
    if pool not in settings.pools:
        known = ", ".join(sorted(settings.pools))
        raise ConfigurationError(f"there is no pool {pool!r}; the configuration has {known}")
    return WorkerHandover(
        **_for_every_child(settings),
        pool=pool,
        queues=settings.pools[pool].queues,
        modules=settings.jobs.modules,
        around=settings.jobs.around,
        commands=for_commands(settings),
        cancel_grace_s=settings.jobs.cancel_grace,
        lease_ttl_s=settings.leases.ttl,
        renew_every_s=settings.leases.renew_every,
        ahead_s=settings.leases.ahead,
        stop_timeout_s=settings.supervisor.stop_timeout,
        max_jobs=settings.pools[pool].max_jobs,
        concurrency=settings.pools[pool].concurrency,
        echoes_jobs=settings.jobs.watch,
    )
