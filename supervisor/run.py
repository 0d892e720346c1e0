"""Start everything, run until told to stop, end everything: what `python -m supervisor` is.

The order is the design. The lock comes before the database is touched, so that two starts cannot
both sweep; the sweep before any lease is given out, and before the socket, which a process left
behind may hold; the socket and the job types before any child, as they fail for reasons only a
person can mend; and the children last, the API first of them.
"""

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from threading import Thread

from config.checks import missing_programs
from config.problems import dotted
from config.settings import Settings, for_commands, for_database, for_storage
from shared import upkeep
from shared.clock import Clock, SystemClock, create_time_s
from shared.describe import describe_types
from shared.errors import ConfigurationError
from shared.events import Kind
from shared.listener import address_of, bind_listener
from shared.logs import configure_logging, get_logger, stop_logging
from shared.processes import ProcessRecord, Role, SlotState
from shared.storage import Store, database_path, open_storage
from shared.stored_settings import fire_schedules, write_settings
from supervisor.act import World, crash_path
from supervisor.kernel import become_subreaper
from supervisor.loop import EXIT_OK, Loop
from supervisor.records import Recorder
from supervisor.sampling import Sampler
from supervisor.signals import Signals, reset_child_signal
from supervisor.slot import Slot
from supervisor.specs import make_rules, make_specs
from supervisor.startup import lock_database, sweep_earlier_life

log = get_logger()

_LAST_WRITES_S = 3.0


def run_supervisor(settings: Settings) -> int:
    """Supervise in the foreground until a signal says stop.

    Returns 0, 4 if something had to be killed, 70 for a crash loop. What keeps it from starting
    is raised: ConfigurationError, AlreadyRunning, CannotBind, StorageError.
    """
    if sys.platform != "linux":
        raise ConfigurationError("Orpheus runs on Linux only: it needs pidfds and PR_SET_PDEATHSIG")
    configure_logging(settings.logging.level, settings.logging.format, "supervisor")
    lock_fd = None
    try:
        reset_child_signal()
        become_subreaper()
        database = database_path(settings.database.url)
        lock_fd = lock_database(database)
        return _supervise(settings, database)
    except KeyboardInterrupt:  # before there was anything to stop
        return EXIT_OK
    finally:
        stop_logging()
        if lock_fd is not None:
            os.close(lock_fd)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What must be closed at the end, whatever happens."""

    recorder: Recorder
    sampler: Sampler
    signals: Signals


def _supervise(settings: Settings, database: Path) -> int:
    clock = SystemClock()
    for problem in missing_programs(settings):
        log.warning("command_cannot_run", key=dotted(problem.key), reason=problem.reason)
    listener = _prepare(settings, database, clock)
    myself = _own_record(clock)
    storage, stored = for_storage(settings), for_database(settings)
    parts = _Parts(
        Recorder(
            lambda: open_storage(storage),
            database,
            myself,
            settings.heartbeats.interval,
            lambda store: fire_schedules(store, stored),
            lambda store, go_on: upkeep.retain(store, stored.retention, go_on),
        ),
        Sampler(),
        Signals(),
    )
    parts.recorder.start()
    parts.sampler.start()
    parts.recorder.note(Kind.SUPERVISOR_STARTED, {"slot": myself.slot, "pid": myself.pid})
    try:
        return _run_loop(settings, database, listener, parts, clock, myself)
    finally:
        parts.sampler.stop()
        if not parts.recorder.stop(_LAST_WRITES_S):
            log.error("last_writes_lost", reason="the database could not be written in time")
        parts.signals.close()
        if listener is not None:
            listener.close()


def _run_loop(
    settings: Settings,
    database: Path,
    listener: socket | None,
    parts: _Parts,
    clock: Clock,
    myself: ProcessRecord,
) -> int:
    specs = make_specs(settings, None if listener is None else listener.fileno())
    world = World({spec.slot: spec for spec in specs}, database, parts.recorder)
    loop = Loop(
        world,
        make_rules(settings),
        shutdown_deadline_s=settings.supervisor.shutdown_deadline,
        exit_on_fatal=settings.supervisor.on_fatal == "exit",
        myself=myself,
        clock=clock,
        sampler=parts.sampler,
        signals=parts.signals,
        on_settled=_announcement(listener),
    )
    return loop.run()


def _bind(settings: Settings) -> socket | None:
    return bind_listener(settings.api.host, settings.api.port) if settings.api.enabled else None


def _prepare(settings: Settings, database: Path, clock: Clock) -> socket | None:
    """A database without traces of an earlier life, the API's socket, and the job types.

    The socket after the sweep: an API left behind may hold the address still.
    """
    store = open_storage(for_storage(settings), create=True)
    try:
        crash_path(database, "any").parent.mkdir(mode=0o700, exist_ok=True)
        store.leases.void_other_boots()
        sweep_earlier_life(store, database, clock.boot_id, clock.wall_ms())
        listener = _bind(settings)
        _store_types(settings, store)
        write_settings(store, for_database(settings))
        return listener
    finally:
        store.close()


def _store_types(settings: Settings, store: Store) -> None:
    modules, timeout_s = settings.jobs.modules, settings.supervisor.start_timeout
    store.types.replace(describe_types(modules, for_commands(settings), timeout_s))


def _own_record(clock: Clock) -> ProcessRecord:
    pid = os.getpid()
    return ProcessRecord(
        incarnation=secrets.token_hex(8),
        slot="supervisor",
        pool=None,
        role=Role.SUPERVISOR,
        pid=pid,
        create_time_s=create_time_s(pid),
        boot_id=clock.boot_id,
        started_at_ms=clock.wall_ms(),
        ready=True,
        beat=0,
        last_beat_mono_ms=time.monotonic_ns() // 1_000_000,
        job_id=None,
        jobs_done=0,
    )


def _announcement(listener: socket | None) -> Callable[[Sequence[Slot]], None]:
    """What is printed once everything is ready, or has failed for the first time."""

    def announce(slots: Sequence[Slot]) -> None:
        where = address_of(listener) if listener else "without the API (api.enabled = false)"
        lines = [f"Orpheus is running: {where}  (Ctrl-C stops it)"]
        lines += [
            f"  {slot.name} is not ready: {slot.reason}"
            for slot in slots
            if slot.state is not SlotState.READY
        ]
        # On a thread: a terminal that is held, or a closed pipe, is no concern of the loop.
        Thread(target=_print, args=("\n".join(lines) + "\n",), daemon=True).start()

    return announce


def _print(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, text.encode())
