"""Prepares the database and the machine before the first child starts.

Each step succeeds or raises an error that says what to do. supervisor/run.py explains the order.
"""

import errno
import fcntl
import os
import time

from orpheus.shared.domain.processes import LastExit, ProcessRecord, Role
from orpheus.shared.errors import AlreadyRunning, DatabaseUnusable
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.reclaim import remove_old_cells
from orpheus.shared.process.clock import is_alive
from orpheus.shared.process.files import READ_ONLY, cannot_make, make_folder, run_as_owner
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import Store
from orpheus.supervisor.linux.adoption import kill_processes_of
from orpheus.supervisor.policy.slot import ProcessEnded
from orpheus.supervisor.recorder import end_process, kill_family

log = get_logger()

_LOOKS, _LOOK_S = 5, 0.02
_LOOK_EVERY_S = 0.2


def lock_database(state: StateFiles) -> int:
    """Lock the database; return the descriptor that holds the lock until it is closed.

    A lock cannot be stale, as a pid file can (overmind#50). Raises AlreadyRunning, and
    DatabaseUnusable if the folder cannot be used.
    """
    path = state.lock
    try:
        make_folder(path.parent)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        is_read_only = error.errno == errno.EROFS
        why = READ_ONLY if is_read_only else f"{error.strerror}{run_as_owner(path)}"
        raise DatabaseUnusable(f"cannot make {path}: {why}") from error
    try:
        _take(fd)
    except BlockingIOError:
        os.close(fd)
        raise AlreadyRunning(
            f"Orpheus is already running: another process holds {path}; stop it first, or give "
            "this one a database in a folder of its own: --set database.url=sqlite:///FOLDER/FILE"
        ) from None
    except OSError as error:  # a file system without locks
        os.close(fd)
        raise DatabaseUnusable(f"cannot lock {path}: {error.strerror}") from error
    return fd


def _take(lock_fd: int) -> None:
    """Lock the file; retry for a moment, as others lock it to see if it is free. Raises OSError."""
    for _ in range(_LOOKS):
        try:
            return fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_S)
    return fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def note_supervisor(lock_fd: int, incarnation: str) -> None:
    """Write the holder of the lock into its file, for the next start and for `is_gone`."""
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, incarnation.encode(), 0)


def refuse_twin(store: Store, host: str, earlier: str, beat_timeout_s: float) -> None:
    """Raise AlreadyRunning if a supervisor on another host uses the name of this host.

    The two would end each other's processes in the database. A dead supervisor of this host, which
    held its lock before, has left a row, too: `earlier` is its incarnation. Other rows are watched
    until they beat or were silent for `beat_timeout_s`.
    """
    if not store.has_many_hosts:
        return
    first_beats: dict[str, int] = {}
    while True:
        suspects = [
            row
            for row in store.processes.all()
            if (row.role, row.host) == (Role.SUPERVISOR, host)
            and row.incarnation != earlier
            and (store.processes.silent_ms(row) or 0) < beat_timeout_s * 1000
        ]
        if not suspects:
            return
        for row in suspects:
            if row.beat != first_beats.setdefault(row.incarnation, row.beat):
                raise AlreadyRunning(
                    f"a supervisor of another host with the name of this one, {host!r}, uses this "
                    "database; give each host a name of its own (hostname)"
                )
        time.sleep(_LOOK_EVERY_S)


def make_cells_folder(state: StateFiles) -> None:
    """Make the folder of crash cells and crash files. Raises DatabaseUnusable."""
    try:
        state.cells.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise DatabaseUnusable(
            f"cannot make the folder {state.cells}: {error.strerror}; move away what has its name"
        ) from error
    except OSError as error:
        raise cannot_make(state.cells, error) from error


def kill_leftovers(state: StateFiles) -> None:
    """Kill every process that an earlier supervisor of this database has left running.

    This comes before anything is written: a stopped process may hold the write lock, and one that
    was just being started has no row yet. What a supervisor starts carries the database's prefix
    in its environment; a process without it was started by hand, and is left alone.
    """
    killed = kill_processes_of(state)
    if killed:
        log.warning("leftovers_killed", processes=killed, why="left by an earlier supervisor")


def sweep_database(store: Store, host: str, boot_id: str, now_ms: int) -> list[ProcessEnded]:
    """Free the leases of dead processes that an earlier supervisor left, and delete their rows.

    If many hosts write, return those processes: more leases of theirs may appear. A dead process is
    recognized by its pid, create time and boot id. Call it after `kill_leftovers`. `host` is the
    name of this host; if no other one uses the database, rows of any name are its own.
    """
    of_host = host if store.has_many_hosts else None
    swept: list[ProcessEnded] = []
    for record in store.processes.all():
        if of_host in (None, record.host) and not _is_alive(record, boot_id):
            reason = "left behind by an earlier supervisor"
            last_exit = LastExit(now_ms, reason, signal=None, code=None, evidence=None)
            ended = ProcessEnded(record.slot, record.incarnation, last_exit)
            kill_family(record.incarnation)
            end_process(store, host, ended)
            if store.has_many_hosts:
                swept.append(ended)
    store.processes.clear_slots(of_host)
    store.supervision.clear(of_host)
    remove_old_cells(store, {ended.incarnation for ended in swept})
    return swept


def _is_alive(record: ProcessRecord, boot_id: str) -> bool:
    return record.boot_id == boot_id and is_alive(record.pid, record.create_time_s)
