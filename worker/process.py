"""A worker process: put together, started, ended."""

import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from orpheus.shared.domain.commands import describe_command
from orpheus.shared.domain.handover import StoredSettings, WorkerHandover
from orpheus.shared.domain.jobs import Holder
from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.errors import DatabaseBusy, DatabaseFull
from orpheus.shared.job_types.describe import name_taken, type_row
from orpheus.shared.job_types.registry import JobType, load_job_types
from orpheus.shared.logs import configure_logging, get_logger, stop_logging
from orpheus.shared.operations import upkeep
from orpheus.shared.operations.stored_settings import fire_schedules, is_supervised, write_settings
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.clock import create_time_s
from orpheus.shared.process.crash_cell import Cell, cell_path, remove_cell
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.malloc import keep_freed_memory
from orpheus.shared.storage import Store, database_path, open_storage
from orpheus.worker.attempt.alarm import Alarm
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.attempt.job_log import JobLog, capture_output
from orpheus.worker.control.control import EXIT_KILLED, Control, start_quietly
from orpheus.worker.leasing.held import Held
from orpheus.worker.leasing.loop import Loop, LoopRules
from orpheus.worker.leasing.renewal import Renewal, RenewalRules
from orpheus.worker.lookup import DatabaseLookup

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType

EXIT_CONFIGURATION = 78
EXIT_AGAIN = -1
"""Not an exit code: a worker without a supervisor should start itself anew."""

_RETRY_DATABASE_S = 0.5
_T = TypeVar("_T")

log = get_logger()


def run_worker(
    settings: WorkerHandover,
    slot: str,
    incarnation: str,
    *,
    channel: Channel | None = None,
    stored: StoredSettings | None = None,
) -> int:
    """Be a worker until told to end; the exit code. Main thread only.

    `channel` None: no supervisor, so this worker makes the database if it is missing, describes
    its job types itself, puts `stored` in force, does the upkeep, and ends jobs past their hard
    deadline. A database that is locked or full is waited for. Raises DatabaseUnusable, and
    ConfigurationError.
    """
    keep_freed_memory()
    configure_logging(settings.log_level, settings.log_format, slot)
    held: Held | None = None
    control = Control(
        channel,
        beat_interval_s=settings.beat_interval_s,
        stop_timeout_s=settings.stop_timeout_s,
        cancel_grace_s=settings.cancel_grace_s,
        running=lambda: None if held is None else held.running,
    )
    start_quietly(control)
    try:
        store = _patiently(control, lambda: open_storage(settings.storage, create=control.is_alone))
        cell_file = cell_path(database_path(settings.storage.url), incarnation)
        held = Held(Cell.create(cell_file))
        return _work(settings, Holder(slot, incarnation, os.getpid()), store, held, control, stored)
    except _ToldToStop:
        return 0
    finally:
        if held is not None and held.is_empty():
            remove_cell(cell_file)
        stop_logging()


def _work(
    settings: WorkerHandover,
    holder: Holder,
    store: Store,
    held: Held,
    control: Control,
    stored: StoredSettings | None,
) -> int:
    """Start what else there is to start, and take jobs until told to end."""
    lookup = DatabaseLookup(settings.storage, settings.defaults)
    renewal = _start_renewal(settings, holder, store, held, control)
    try:
        types = _load_types(settings, control)
        if types is None:
            return EXIT_CONFIGURATION
        commands = _commands(settings)
        if control.is_alone:
            described = [one.describe() for one in types.values()]
            described += [describe_command(one) for one in settings.commands]
            rows = [type_row(one) for one in described]
            _patiently(control, lambda: store.types.replace(rows))
        if stored is not None and not is_supervised(store, settings.beat_timeout_s):
            in_force = stored
            _patiently(control, lambda: write_settings(store, in_force))
        alarm = Alarm()
        capture_output(lambda: _log_of(held))
        loop = Loop(
            store,
            held,
            control,
            renewal,
            Executor(types, commands, alarm, lookup),
            alarm,
            _loop_rules(settings, holder),
            _no_upkeep if stored is None else _Upkeep(store, stored),
        )
        renewal.tell_ready()
        failpoint("worker.ready")
        control.say({"say": "ready"})
        log.info(
            "worker_ready",
            pool=settings.pool,
            queues=list(settings.queues),
            types=len(types) + len(commands),
        )
        all_reported = loop.run()
        replace_because = loop.why_replace()
        if replace_because is not None:
            log.info("worker_to_be_replaced", reason=replace_because)
            control.say(
                {"say": "recycle", "reason": replace_because, "jobs_done": control.jobs_done}
            )
    finally:
        renewal.end()
        lookup.close()
        store.close()
    log.info("worker_ended", jobs_done=control.jobs_done)
    if replace_because is not None and control.is_alone and control.leasing:
        return EXIT_AGAIN
    return 0 if all_reported else EXIT_KILLED


class _ToldToStop(Exception):
    """While the database was waited for."""


def _patiently(control: Control, do: Callable[[], _T]) -> _T:
    """What `do` gives, once the database lets it. Raises _ToldToStop."""
    while control.leasing:
        try:
            with control.database.call():
                return do()
        except (DatabaseBusy, DatabaseFull) as error:
            control.database.tell(error)
            time.sleep(_RETRY_DATABASE_S)
    raise _ToldToStop


class _Upkeep:
    """What a supervisor would do, by a worker that has none."""

    def __init__(self, store: Store, stored: StoredSettings) -> None:
        self._store = store
        self._stored = stored
        self._retain_at_s = 0.0

    def __call__(self) -> None:
        upkeep.reclaim(self._store)
        fire_schedules(self._store, self._stored)
        now_s = time.monotonic()
        if now_s >= self._retain_at_s:
            self._retain_at_s = now_s + upkeep.retain(self._store, self._stored.retention)


def _no_upkeep() -> None:
    """A supervisor does it."""


def _start_renewal(
    settings: WorkerHandover, holder: Holder, store: Store, held: Held, control: Control
) -> Renewal:
    record = _process_record(store, settings.pool, holder)
    _patiently(control, lambda: store.processes.register(record))
    renewal = Renewal(
        _patiently(control, lambda: open_storage(settings.storage)),
        held,
        control,
        record,
        RenewalRules(
            lease_ttl_s=settings.lease_ttl_s,
            renew_every_s=settings.renew_every_s,
            ahead_s=settings.ahead_s,
            beat_interval_s=settings.beat_interval_s,
            cancel_grace_s=settings.cancel_grace_s,
            is_alone=control.is_alone,
        ),
    )
    start_quietly(renewal)
    return renewal


def _loop_rules(settings: WorkerHandover, holder: Holder) -> LoopRules:
    return LoopRules(
        holder=holder,
        pool=settings.pool,
        queues=settings.queues,
        lease_ttl_ms=round(settings.lease_ttl_s * 1000),
        ahead_s=settings.ahead_s,
        longest_sleep_s=min(settings.beat_interval_s, settings.beat_timeout_s / 3),
        max_jobs=settings.max_jobs,
    )


def _load_types(settings: WorkerHandover, control: Control) -> dict[str, JobType] | None:
    """The job types of the modules; None, and the reason told, if one cannot be had."""
    try:
        types = load_job_types(settings.modules)
        for command in settings.commands:
            if command.name in types:
                raise name_taken(command)
    except BaseException as error:  # noqa: BLE001 - whatever a module raises, SystemExit too
        traceback.print_exc()
        reason = f"the job types cannot be had: {type(error).__name__}: {error}"
        control.say({"say": "failed", "reason": reason})
        log.error("job_modules_failed", reason=reason)  # noqa: TRY400 - the traceback stands above
        return None
    return types


def _commands(settings: WorkerHandover) -> "dict[str, CommandType]":
    if not settings.commands:
        return {}
    from orpheus.worker.attempt.command import CommandType  # noqa: PLC0415 - only for workers with commands

    return {one.name: CommandType(one, settings.cancel_grace_s) for one in settings.commands}


def _log_of(held: Held) -> JobLog | None:
    running = held.running
    return None if running is None else running.job_log()


def _process_record(store: Store, pool: str, holder: Holder) -> ProcessRecord:
    return ProcessRecord(
        incarnation=holder.incarnation,
        slot=holder.slot,
        pool=pool,
        role=Role.WORKER,
        pid=holder.pid,
        create_time_s=create_time_s(holder.pid),
        boot_id=store.clock.boot_id,
        started_at_ms=store.clock.wall_ms(),
        ready=False,
        beat=0,
        last_beat_mono_ms=store.clock.monotonic_ms(),
        job_id=None,
        jobs_done=0,
    )


def restart_alone() -> None:
    """Replace this process by a new life of itself. Only for a worker without a supervisor."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - never through a shell
