"""Assembles a worker process, starts its threads, and ends them."""

import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from orpheus.shared.domain.commands import describe_command
from orpheus.shared.domain.handover import StoredSettings, WorkerHandover
from orpheus.shared.domain.jobs import Holder
from orpheus.shared.domain.processes import Role
from orpheus.shared.errors import DatabaseBusy, DatabaseFull, ExitCode
from orpheus.shared.job_types.describe import name_taken, type_row
from orpheus.shared.job_types.registry import JobType, load_job_types
from orpheus.shared.logs import configure_logging, get_logger, stop_logging
from orpheus.shared.operations.stored_settings import is_supervised, write_settings
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.crash_cell import Cell, cell_path, remove_cell
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.malloc import keep_freed_memory
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, database_path, open_storage
from orpheus.worker.attempt.alarm import Alarm
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.attempt.job_log import JobLog, capture_output
from orpheus.worker.control.control_thread import ControlThread, start_without_signals
from orpheus.worker.database_queries import DatabaseQueries
from orpheus.worker.leasing.held_leases import HeldLeases
from orpheus.worker.leasing.loop import Loop
from orpheus.worker.leasing.renewal import RenewalThread

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType

RESTART = -1
"""Not an exit code: a worker without a supervisor should start again as a new process."""

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
    """Run jobs until told to stop, and return the exit code. Main thread only.

    Without a `channel` there is no supervisor. Then this worker creates the database if it is
    missing, describes its job types, writes `stored` into the database, does the upkeep, and ends
    jobs past their hard deadline. While the database is locked or full, the worker waits.

    Raises DatabaseUnusable and ConfigurationError.
    """
    keep_freed_memory()
    configure_logging(settings.log_level, settings.log_format, slot)
    held: HeldLeases | None = None
    control = ControlThread(
        settings, channel, running=lambda: None if held is None else held.running
    )
    start_without_signals(control)
    try:
        store = _retry(control, lambda: open_storage(settings.storage, create=control.is_alone))
        cell_file = cell_path(database_path(settings.storage.url), incarnation)
        held = HeldLeases(Cell.create(cell_file))
        return _work(settings, Holder(slot, incarnation, os.getpid()), store, held, control, stored)
    except _StopRequested:
        return 0
    finally:
        if held is not None and held.is_empty():
            remove_cell(cell_file)
        stop_logging()


def _work(
    settings: WorkerHandover,
    holder: Holder,
    store: Store,
    held: HeldLeases,
    control: ControlThread,
    stored: StoredSettings | None,
) -> int:
    """Start the renewal thread, load the job types, and run jobs until told to stop."""
    queries = DatabaseQueries(settings)
    renewal = _start_renewal(settings, holder, store, held, control)
    try:
        types = _load_types(settings, control)
        if types is None:
            return ExitCode.CONFIGURATION
        if control.is_alone:
            described = [one.describe() for one in types.values()]
            described += [describe_command(one) for one in settings.commands]
            rows = [type_row(one) for one in described]
            _retry(control, lambda: store.types.replace(rows))
        if stored is not None and not is_supervised(store, settings.beat_timeout_s):
            _retry(control, partial(write_settings, store, stored))
        alarm = Alarm()
        capture_output(lambda: _running_log(held))
        executor = Executor(types, _commands(settings), alarm, queries)
        upkeep = None if stored is None else Upkeep(stored)
        loop = Loop(settings, holder, store, held, control, renewal, executor, alarm, upkeep)
        renewal.set_ready()
        failpoint("worker.ready")
        control.send({"say": "ready"})
        log.info(
            "worker_ready",
            pool=settings.pool,
            queues=list(settings.queues),
            types=len(types) + len(settings.commands),
        )
        all_reported = loop.run()
        reason = loop.replacement_reason()
        if reason is not None:
            log.info("worker_to_be_replaced", reason=reason)
            control.send({"say": "recycle", "reason": reason, "jobs_done": control.jobs_done})
    finally:
        renewal.stop()
        queries.close()
        store.close()
    log.info("worker_ended", jobs_done=control.jobs_done)
    if reason is not None and control.is_alone and control.may_lease:
        return RESTART
    return 0 if all_reported else ExitCode.CUT_SHORT


class _StopRequested(Exception):
    """The worker was told to stop while it waited for the database."""


def _retry(control: ControlThread, call: Callable[[], _T]) -> _T:
    """Return what `call` returns, once the database is neither locked nor full.

    Raises _StopRequested.
    """
    while control.may_lease:
        try:
            with control.database.call():
                return call()
        except (DatabaseBusy, DatabaseFull) as error:
            control.database.log_failure(error)
            time.sleep(_RETRY_DATABASE_S)
    raise _StopRequested


def _start_renewal(
    settings: WorkerHandover, holder: Holder, store: Store, held: HeldLeases, control: ControlThread
) -> RenewalThread:
    record = own_record(
        store.clock, Role.WORKER, holder.slot, holder.incarnation, pool=settings.pool
    )
    _retry(control, lambda: store.processes.register(record))
    its_store = _retry(control, lambda: open_storage(settings.storage))
    renewal = RenewalThread(settings, its_store, held, control, record)
    start_without_signals(renewal)
    return renewal


def _load_types(settings: WorkerHandover, control: ControlThread) -> dict[str, JobType] | None:
    """Load the job types of the modules. If one fails, report the reason and return None."""
    try:
        types = load_job_types(settings.modules)
        for command in settings.commands:
            if command.name in types:
                raise name_taken(command)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
        traceback.print_exc()
        reason = f"the job types could not be loaded: {type(error).__name__}: {error}"
        control.send({"say": "failed", "reason": reason})
        log.error("job_modules_failed", reason=reason)  # noqa: TRY400 - the traceback stands above
        return None
    return types


def _commands(settings: WorkerHandover) -> "dict[str, CommandType]":
    if not settings.commands:
        return {}
    from orpheus.worker.attempt.command import CommandType  # noqa: PLC0415 - only for workers with commands

    return {one.name: CommandType(one, settings.cancel_grace_s) for one in settings.commands}


def _running_log(held: HeldLeases) -> JobLog | None:
    running = held.running  # read once: another thread may set it to None
    return None if running is None else running.job_log()


def restart_alone() -> None:
    """Replace this process by a new one with the same arguments. For a worker alone only."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - never through a shell
