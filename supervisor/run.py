"""Start everything, run until asked to stop, and end everything: what `orpheus` alone does.

The order of the start matters. The lock comes before the database is touched, so that two starts
cannot both sweep it. The sweep comes before any lease is given out, and before the API's socket is
bound, because a process left behind may hold that. The socket and the job types come before any
child, because only a person can mend what makes them fail. The children come last, the API first.
"""

import contextlib
import functools
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from threading import Thread

import msgspec

from orpheus.config.handovers import for_database, for_storage
from orpheus.config.settings import Settings
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.errors import ConfigurationError, ExitCode, ModulesNotDescribed
from orpheus.shared.logs import get_logger, stop_logging
from orpheus.shared.operations.reclaim import void_other_boots
from orpheus.shared.operations.stored_settings import write_settings
from orpheus.shared.operations.waiting import once_it_answers
from orpheus.shared.process.clock import Clock, SystemClock
from orpheus.shared.process.doorbells import Bell
from orpheus.shared.process.failpoints import name_program
from orpheus.shared.process.host import own_host
from orpheus.shared.process.listener import address_of
from orpheus.shared.process.own_record import own_record
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.process.supervisor_lock import noted_supervisor
from orpheus.shared.storage import locked_file, open_storage, settled_paths, state_files
from orpheus.supervisor.linux.adoption import become_subreaper
from orpheus.supervisor.linux.sampling import Sampler
from orpheus.supervisor.linux.signals import Signals, reset_child_signal
from orpheus.supervisor.linux.systemd import Notifier
from orpheus.supervisor.loop.act import Children
from orpheus.supervisor.loop.loop import Loop
from orpheus.supervisor.loop.orders import Orders
from orpheus.supervisor.outbox.drainers import Drainers
from orpheus.supervisor.plan.configuration import Configuration, KeptConfiguration, allow_files_for
from orpheus.supervisor.plan.listeners import Listeners
from orpheus.supervisor.plan.reload import ReadSettings, Rejected, Reloader, described_types, log_as
from orpheus.supervisor.policy.slot import ProcessEnded, Slot
from orpheus.supervisor.recorder import Recorder
from orpheus.supervisor.startup import (
    kill_leftovers,
    lock_database,
    make_cells_folder,
    note_supervisor,
    refuse_twin,
    sweep_database,
)

log = get_logger()

_LAST_WRITES_S = 3.0
_LAST_OUTPUT_S = 2.0
_LAST_BATCHES_S = 1.0
"""How long to wait for the batches of outboxes that are under way; ending them early is safe."""


class Development(msgspec.Struct, frozen=True):
    """What `orpheus dev` does otherwise: job modules that do not import are waited for."""

    hints: Callable[[], Sequence[str]]
    """Returns the lines to print below the address."""
    debugs: bool = False
    """Jobs have the terminal."""


class _Prepared(msgspec.Struct, frozen=True):
    """What the start has made before the first child."""

    configuration: Configuration
    listeners: Listeners
    bell: Bell
    swept: list[ProcessEnded]
    """If many hosts write: the processes that were swept."""
    code_trouble: str
    """Why the job modules cannot be used yet; empty: they can."""


def run_supervisor(
    read: ReadSettings,
    signals: Signals,
    sets: Sequence[str],
    development: Development | None = None,
) -> int:
    """Supervise in the foreground until a signal to stop; return the exit code.

    `read` reads the settings, at the start and at each reload.
    `signals` holds the signals that have arrived since this process began. `sets` are the `--set`
    options, for the API, which shows where values come from.
    The exit code is 0, 4 if something had to be killed, or 70 for a crash loop. Raises
    ConfigurationError, AlreadyRunning, CannotBind or StorageError if it cannot start.
    """
    if sys.platform != "linux":
        raise ConfigurationError("Orpheus runs on Linux only: it needs pidfds and PR_SET_PDEATHSIG")
    name_program("supervisor")
    read = _with_paths_resolved_once(read)
    settings = read()
    notifier = Notifier(os.environ)  # first: no child may inherit the socket
    log_as(settings)
    allow_files_for(settings)
    lock_fd = None
    try:
        reset_child_signal()
        become_subreaper()
        state = state_files(settings.database.url, settings.database.state_dir)
        lock_fd = lock_database(state)
        return _supervise(read, signals, sets, settings, state, notifier, lock_fd, development)
    except KeyboardInterrupt:  # nothing was started yet
        return ExitCode.OK
    finally:
        stop_logging()
        if lock_fd is not None:
            os.close(lock_fd)


def _with_paths_resolved_once(read: ReadSettings) -> ReadSettings:
    """Have `read` resolve the paths of the database only once: a link may be changed later."""
    once = functools.cache(settled_paths)

    def read_and_resolve() -> Settings:
        settings = read()
        url, state_dir = once(settings.database.url, settings.database.state_dir)
        database = settings.database.model_copy(update={"url": url, "state_dir": state_dir})
        return settings.model_copy(update={"database": database})

    return read_and_resolve


def _supervise(
    read: ReadSettings,
    signals: Signals,
    sets: Sequence[str],
    settings: Settings,
    state: StateFiles,
    notifier: Notifier,
    lock_fd: int,
    development: Development | None,
) -> int:
    clock = SystemClock()
    kill_leftovers(state)
    waits = development is not None
    prepare = functools.partial(
        _prepare, settings, state, clock, noted_supervisor(lock_fd), waits_for_code=waits
    )
    prepared = once_it_answers(prepare)
    configuration, listeners, bell = prepared.configuration, prepared.listeners, prepared.bell
    configuration.sets = sets
    configuration.debugs = development is not None and development.debugs
    incarnation = secrets.token_hex(8)
    note_supervisor(lock_fd, incarnation)
    kept = KeptConfiguration(state, clock)
    kept.take(settings)
    myself = own_record(clock, own_host(), Role.SUPERVISOR, "supervisor", incarnation, ready=True)
    recorder = Recorder(myself, configuration.duties())
    for ended in prepared.swept:
        recorder.watch_late(ended)
    reloader = Reloader(read, settings, listeners, kept.take)
    sampler = Sampler(locked_file(settings.database.url), reloader.look)
    signals.take_over()
    drainers = Drainers(recorder.leads)
    children = Children(state, recorder)
    loop = Loop(
        children,
        configuration.plan(),
        myself=myself,
        clock=clock,
        sampler=sampler,
        notifier=notifier,
        describing=reloader.describing,
        other_trouble=lambda: "; ".join(filter(None, (drainers.trouble(), reloader.trouble))),
        on_settled=functools.partial(
            _announce, configuration, hints=development.hints if development else tuple
        ),
    )
    orders = Orders(
        loop, configuration, listeners, recorder, signals, reloader, bell, notifier, drainers
    )
    for thread in (recorder, sampler, reloader):
        thread.start()
    drainers.adopt(configuration.outboxes())
    recorder.record(Kind.SUPERVISOR_STARTED, {"slot": myself.slot, "pid": myself.pid})
    if prepared.code_trouble:
        orders.reject(Rejected("the start", prepared.code_trouble))
    try:
        return loop.run()
    finally:
        sampler.stop()
        reloader.stop()
        drainers.stop(_LAST_BATCHES_S)
        children.output.stop(_LAST_OUTPUT_S)
        if not recorder.stop(_LAST_WRITES_S):
            log.error("last_writes_lost", reason="the database could not be written in time")
        with contextlib.suppress(OSError):
            state.running_settings.unlink(missing_ok=True)
        signals.close()
        bell.close()
        listeners.close()


def _prepare(
    settings: Settings, state: StateFiles, clock: Clock, earlier: str, *, waits_for_code: bool
) -> _Prepared:
    """Sweep the database, bind the API's socket, and store the job types.

    `earlier` is the incarnation of the supervisor that ran here before. The sweep comes first: an
    API that was left behind may still hold the address.
    """
    store = open_storage(for_storage(settings), create=True)
    listeners = Listeners()
    try:
        make_cells_folder(state)
        refuse_twin(store, own_host(), earlier, settings.heartbeats.timeout)
        void_other_boots(store)
        swept = sweep_database(store, own_host(), clock.boot_id, clock.wall_ms())
        api = settings.api
        listener = listeners.take(api.host, api.port) if api.enabled else None
        if listener is not None:
            listeners.let_go(listener)  # `keep_only` keeps it all the same, as the current one
        build, trouble = None, ""
        try:
            build = store.types.replace(described_types(settings))
            write_settings(store, for_database(settings))
        except (ConfigurationError, ModulesNotDescribed) as error:
            if not waits_for_code:
                raise
            build, trouble = None, str(error)
        bell = store.bells.listen_supervisor()
        configuration = Configuration(settings, listener, build)
        return _Prepared(configuration, listeners, bell, swept, trouble)
    except BaseException:
        listeners.close()
        raise
    finally:
        store.close()


def _announce(
    configuration: Configuration,
    slots: Sequence[Slot],
    hints: Callable[[], Sequence[str]] = tuple,
) -> None:
    """Print where it runs, once every slot is ready or has failed for the first time.

    A reload may have moved the API since the start.
    """
    listener = configuration.listener
    where = "without the API (api.enabled = false)"
    if listener:
        root_path = configuration.settings.api.root_path
        where = address_of(listener) + (f"{root_path}/" if root_path else "")
    lines = [f"Orpheus is running: {where}  (Ctrl-C stops it)"]
    lines += [
        f"  {slot.name} is not ready: {slot.reason or slot.held_back or slot.state}"
        for slot in slots
        if slot.state is not SlotState.READY
    ]
    lines += [f"  {hint}" for hint in hints()]
    if configuration.build is None:
        lines.append("  no worker runs until the job modules import: mend them, and save the file")
    # On a thread: a stopped terminal or a closed pipe must not block the main loop.
    Thread(target=_print, args=("\n".join(lines) + "\n",), daemon=True).start()


def _print(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, text.encode())
