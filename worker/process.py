"""Assembles a worker process, starts its threads, and ends them."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.handover import StoredSettings, WorkerHandover
from orpheus.shared.domain.hidden import hidden_by
from orpheus.shared.domain.jobs import Holder
from orpheus.shared.domain.processes import Role
from orpheus.shared.errors import DatabaseBusy, DatabaseFull, ExitCode
from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.job_types.describe import check_commands, type_row
from orpheus.shared.job_types.registry import JobType, load_job_types
from orpheus.shared.logs import (
    configure_logging,
    get_logger,
    leave_out_logging_while,
    stop_logging,
)
from orpheus.shared.operations.reclaim import (
    forget_dead_workers,
    remove_old_cells,
    void_other_boots,
)
from orpheus.shared.operations.stored_settings import write_settings
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.process.channel import EVIDENCE_LENGTH, Channel
from orpheus.shared.process.crash_cell import Cell, CellOfMany, remove_cell
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.process.last_lines import LineRing, stray_path
from orpheus.shared.process.limits import allow_open_files, keep_freed_memory
from orpheus.shared.process.own_record import own_record
from orpheus.shared.process.stop_signals import hold_stop_signals, stop_signals
from orpheus.shared.storage import Listening, Store, TypeRow, listen, open_storage, settled
from orpheus.worker.attempt.alarm import Alarm
from orpheus.worker.attempt.around import Around, Spans, load_around
from orpheus.worker.attempt.echo import JobEcho, no_terminal
from orpheus.worker.attempt.executor import MainThreadExecutor, NoTimeout
from orpheus.worker.attempt.forked_child import cut_off_children
from orpheus.worker.attempt.job_log import Capture
from orpheus.worker.attempt.outcomes import error_of
from orpheus.worker.attempt.stray_output import StrayOutput
from orpheus.worker.control.control_thread import ControlThread
from orpheus.worker.database_queries import DatabaseQueries, QueriesThread
from orpheus.worker.leasing.concurrent_leases import ConcurrentLeases
from orpheus.worker.leasing.fence import FenceThread
from orpheus.worker.leasing.held_leases import HeldLeases
from orpheus.worker.leasing.loop import Loop
from orpheus.worker.leasing.renewal import RenewalThread

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType

RESTART = -1
"""Not an exit code: a worker without a supervisor must start again as a new process."""

_KEPT_MB = 16
_EXIT_S = 5.0
"""At exit, a library may send what it has gathered: errors, traces."""
_UNCLEAN_EXIT_S = 1.0
"""Here the worker has released jobs, and is killed soon after (Rules.stop_margin_s)."""
_EXPORT_S = 1.0
_UNCLEAN_EXPORT_S = 0.3
"""How long the export of the last spans may take before that."""
_FILES_OF_A_JOB = 8
"""A command that starts opens seven."""
_OTHER_FILES = 192
_T = TypeVar("_T")

log = get_logger()


def run_worker(
    settings: WorkerHandover,
    slot: str,
    incarnation: str,
    *,
    channel: Channel | None,
    stored: StoredSettings | None,
) -> int:
    """Run jobs until told to stop, and return the exit code. Main thread only.

    Without a `channel` there is no supervisor. Then this worker creates the database if it is
    missing, describes its job types, writes `stored` into the database, does the upkeep, and ends
    jobs past their hard deadline. While the database is locked or full, the worker waits.

    Raises DatabaseUnusable and ConfigurationError.
    """
    # A job may change the current directory.
    settings = replace(settings, storage=settled(settings.storage))
    keep_freed_memory(_KEPT_MB)
    configure_logging(settings.log_level, settings.log_format, slot, in_short=settings.echoes_jobs)
    atexit.register(stop_logging)  # first, so that it is called last
    _allow_files(settings.concurrency)
    held: HeldLeases | None = None
    control = ControlThread(
        settings, channel, running=lambda: () if held is None else held.attempts()
    )
    start_without_signals(control)
    try:
        store = _retry(control, lambda: _open_store(settings, create=control.is_alone))
        store.give_way()
        cell_file = store.state.cell(incarnation)
        ring = _retry(control, partial(LineRing.create, cell_file))
        stray = StrayOutput(stray_path(cell_file), ring)
        held = _retry(control, lambda: _new_leases(settings, cell_file, ring))
        if settings.echoes_jobs:
            held.echo = JobEcho()
            if not settings.debugs and "PYTHONBREAKPOINT" not in os.environ:
                sys.breakpointhook = no_terminal
        holder = Holder(slot, incarnation, os.getpid())
        return _Worker(settings, holder, store, held, control, stray, stored).work()
    except _StopRequested:
        return 0
    finally:
        if held is not None:
            stray.stop()
            if held.leaves_nothing():
                remove_cell(cell_file)


class _Worker(msgspec.Struct):
    """A worker that has opened its database."""

    settings: WorkerHandover
    holder: Holder
    store: Store
    held: HeldLeases
    control: ControlThread
    stray: StrayOutput
    stored: StoredSettings | None
    stop_spans: Callable[[float], None] = lambda _: None
    """Exports the last spans, within so many seconds."""

    def work(self) -> int:
        """Start the renewal thread, load the job types, and run jobs until told to stop."""
        settings, store, control, stored = self.settings, self.store, self.control, self.stored
        loaded_versions: dict[str, str] = {}
        queries = DatabaseQueries(settings, loaded_versions)
        listening: Listening | None = None
        began_ms = store.own_clock.wall_ms()
        renewal = self._start_renewal()
        fence = self._start_fence()
        try:
            loaded = _load_code(settings, control)
            if loaded is None:
                return ExitCode.CONFIGURATION
            types, around = loaded
            self.held.hidden = hidden_by(
                settings.storage.hide, {name: kind.hide for name, kind in types.items()}
            )
            alone = _described(settings, types) if control.is_alone else None
            build = settings.build if alone is None else self._take_over(alone, began_ms, renewal)
            loaded_versions |= _retry(control, lambda: store.types.versions_of(build))
            store.versions.loaded = loaded_versions
            if stored is not None:
                self._stand_in(stored)
            if not settings.debugs:  # else descriptors 1 and 2 stay on the terminal
                _retry(control, self.stray.start)
            listening = listen(settings.storage) if control.is_alone else None
            loop = self._new_loop(types, around, queries, renewal)
            renewal.set_ready()
            failpoint("worker.ready")
            control.send({"say": "ready"})
            tell = log.debug if settings.echoes_jobs else log.info  # the supervisor tells it, too
            tell(
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
            fence.stop()
            renewal.stop()
            if listening is not None:
                listening.stop()
            queries.close()
            store.close()
        threads = _threads_left()
        if threads:
            note = "left by jobs; they end with the worker"
            log.warning("threads_left", threads=threads, note=note)
        self.stop_spans(_EXPORT_S if all_reported else _UNCLEAN_EXPORT_S)
        log.info("worker_ended", jobs_done=control.jobs_done)
        if reason is not None and control.is_alone:
            hold_stop_signals()  # before the last look: a later signal is for the new process
            if control.may_lease:
                return RESTART
        return 0 if all_reported else ExitCode.CUT_SHORT

    def _start_renewal(self) -> RenewalThread:
        settings, holder, store = self.settings, self.holder, self.store
        record = own_record(
            store.own_clock,
            settings.host_name,
            Role.WORKER,
            holder.slot,
            holder.incarnation,
            pool=settings.pool,
            places=settings.concurrency,
            build=settings.build,
        )

        def register() -> None:
            os.utime(store.state.cell(holder.incarnation))  # without a row, only its age keeps it
            now_ms = store.clock.monotonic_ms()
            store.processes.register(replace(record, last_beat_mono_ms=now_ms))

        _retry(self.control, register)
        its_store = _retry(self.control, lambda: _open_store(settings))
        renewal = RenewalThread(settings, its_store, self.held, self.control, record, self.stray)
        start_without_signals(renewal)
        return renewal

    def _start_fence(self) -> FenceThread:
        ttl_s, renew_every_s = self.settings.lease_ttl_s, self.settings.renew_every_s
        monotonic_ms = self.store.own_clock.monotonic_ms
        fence = FenceThread(self.held, monotonic_ms, lease_ttl_s=ttl_s, renew_every_s=renew_every_s)
        start_without_signals(fence)
        return fence

    def _take_over(self, types: Sequence[TypeRow], began_ms: int, renewal: RenewalThread) -> str:
        """Do what a supervisor does, from when this worker began; return the build of its code."""
        _retry(self.control, lambda: void_other_boots(self.store, only_reboots=True))
        _retry(self.control, lambda: forget_dead_workers(self.store))
        build = _retry(self.control, lambda: self.store.types.replace(types, began_ms))
        renewal.record = replace(renewal.record, build=build)
        _retry(self.control, lambda: self.store.processes.register(renewal.record))
        return build

    def _stand_in(self, stored: StoredSettings) -> None:
        """Do what a supervisor does when it starts, if none is running."""
        from orpheus.shared.operations.reclaim import is_supervised  # noqa: PLC0415 - only alone

        if not is_supervised(self.store, self.settings.beat_timeout_s):
            _retry(self.control, lambda: write_settings(self.store, stored))
            _retry(self.control, lambda: remove_old_cells(self.store))

    def _new_loop(
        self,
        types: Mapping[str, JobType],
        around: Around,
        queries: DatabaseQueries,
        renewal: RenewalThread,
    ) -> Loop:
        """Return the main loop, with what runs its jobs: one at a time in it, or several beside it.

        The parts of the second way are imported only by workers that use it.
        """
        settings, held, control, stray = self.settings, self.held, self.control, self.stray
        commands, capture = _commands(settings), self._capture_and_cut_off()
        spans = self._start_spans()
        asked = QueriesThread(queries)
        upkeep = None if self.stored is None else Upkeep(self.stored)
        if settings.concurrency == 1:
            executor = MainThreadExecutor(
                types, commands, Alarm(), asked, around, spans, stray=stray, capture=capture
            )
            return Loop(settings, self.holder, self.store, held, control, renewal, executor, upkeep)
        from orpheus.worker.attempt.concurrent_executor import ConcurrentExecutor  # noqa: PLC0415
        from orpheus.worker.leasing.concurrent_loop import ConcurrentLoop  # noqa: PLC0415

        assert isinstance(held, ConcurrentLeases)
        jobs = ConcurrentExecutor(
            types,
            commands,
            NoTimeout(),
            asked,
            around,
            spans,
            capture=capture,
            places=settings.concurrency,
            blocked_after_s=settings.beat_interval_s,
        )
        return ConcurrentLoop(
            settings, self.holder, self.store, held, control, renewal, jobs, upkeep, stray=stray
        )

    def _start_spans(self) -> Spans | None:
        """Export spans from now on, if `[otel]` is enabled: after the job modules, before jobs."""
        settings = self.settings
        if settings.otel_endpoint is None:
            return None
        from orpheus import otel  # noqa: PLC0415 - an extra

        otel.start(settings.otel_endpoint, settings.host_name, self.holder.slot, for_jobs=True)
        self.stop_spans = otel.stop
        return otel

    def _capture_and_cut_off(self) -> Capture:
        state, running_log = self.store.state, self.held.log_of_caller
        capture = Capture(running_log, takes_prints=not self.settings.debugs)
        if self.settings.echoes_jobs:
            leave_out_logging_while(running_log)  # the echo of the job's log has it
        channel = self.control.channel_fd()
        descriptors = [*self.stray.saved, *(() if channel is None else (channel,))]
        cut_off_children(
            self.store.file_names, (state.bells, state.cells), descriptors, running_log
        )
        return capture


def _open_store(settings: WorkerHandover, *, create: bool = False) -> Store:
    """Open the database. A wait for a lock does not mean that this worker cannot write.

    So it is shorter than the time after which the beats report trouble (database_watch.py).
    """
    wait_s = settings.beat_interval_s
    return open_storage(settings.storage, create=create, lock_wait_s=wait_s)


def _new_leases(settings: WorkerHandover, cell_file: Path, ring: LineRing) -> HeldLeases:
    """Return an empty HeldLeases with a new crash cell. Raises as `create_mapped_file` does."""
    places = settings.concurrency
    if places == 1:
        return HeldLeases(Cell.create(cell_file), ring)
    return ConcurrentLeases(CellOfMany.create(cell_file, places), ring, places)


def _allow_files(places: int) -> None:
    wanted = _OTHER_FILES + _FILES_OF_A_JOB * places
    allowed = allow_open_files(wanted)
    if allowed < wanted:
        why = f"{places} jobs at once may need {wanted}; raise the hard limit (ulimit -Hn)"
        log.warning("few_open_files", allowed=allowed, why=why)


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
            control.database.wait_after(error)
    raise _StopRequested


def _load_code(
    settings: WorkerHandover, control: ControlThread
) -> tuple[dict[str, JobType], Around] | None:
    """Load the job types and what is around them. If that fails, report why and return None."""
    try:
        types = load_job_types(settings.modules)
        check_commands(settings.commands, types)
        around = load_around(settings.around)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
        told = error_of(error)
        sys.stderr.write(told.traceback or "")
        reason = f"the job types could not be loaded: {told.type}: {told.message}"
        # A longer line may not fit into the channel, and this process ends at once.
        evidence = (told.traceback or "")[-EVIDENCE_LENGTH:]
        control.send({"say": "failed", "reason": reason, "evidence": evidence})
        log.error("job_modules_failed", reason=reason)  # noqa: TRY400 - the traceback stands above
        return None
    return types, around


def _described(settings: WorkerHandover, types: dict[str, JobType]) -> list[TypeRow]:
    from orpheus.shared.job_types.code_digest import described  # noqa: PLC0415 - only alone

    return [
        type_row(job_type)
        for job_type in described(settings.modules, types.values(), settings.commands)
    ]


def _commands(settings: WorkerHandover) -> "dict[str, CommandType]":
    if not settings.commands:
        return {}
    from orpheus.worker.attempt.command import CommandType  # noqa: PLC0415 - only for workers with commands

    return {
        command.name: CommandType(command, settings.cancel_grace_s) for command in settings.commands
    }


def exit_soon(code: int, beat_timeout_s: float) -> NoReturn:
    """Exit with `code` soon, even if jobs have left something that never ends.

    At its exit the interpreter waits for threads, also those of concurrent.futures, for child
    processes and for atexit functions. This limits that wait: the supervisor takes a main loop that
    stands still for `beat_timeout_s` for a hang. Signals to stop that come now are ignored, as they
    would change the exit code.
    """
    within_s = min(_EXIT_S, beat_timeout_s / 2) if code == 0 else _UNCLEAN_EXIT_S
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)
    timer = threading.Timer(within_s, _cut_exit, (code, within_s))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # the system has no thread for it
        timer.start()
    sys.exit(code)


def _cut_exit(code: int, after_s: float) -> NoReturn:
    try:
        note = "it waited for threads, child processes or atexit functions that jobs have left"
        log.warning("exit_cut_short", seconds=after_s, threads=_threads_left(), note=note)
        stop_logging()
    finally:
        os._exit(code)


def _threads_left() -> list[str]:
    mine = (threading.current_thread(), threading.main_thread())
    return [
        thread.name for thread in threading.enumerate() if thread not in mine and not thread.daemon
    ]


def restart_alone() -> NoReturn:
    """Replace this process by a new one with the same arguments. For a worker alone only."""
    sys.stdout.flush()
    stop_logging()
    signal.setitimer(signal.ITIMER_REAL, 0)  # it would outlive its handler, and kill the process
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - never through a shell
