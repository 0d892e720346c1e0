"""Prepares the database and the machine before the first child starts.

Each step succeeds or raises an error that says what to do. supervisor/run.py explains the order.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from orpheus.shared.domain.processes import LastExit, ProcessRecord
from orpheus.shared.errors import AlreadyRunning, DatabaseUnusable
from orpheus.shared.logs import get_logger
from orpheus.shared.process.crash_cell import cell_path
from orpheus.shared.storage import Store
from orpheus.supervisor.linux.adoption import is_alive, kill_processes_of
from orpheus.supervisor.policy.slot import ProcessEnded
from orpheus.supervisor.recorder import end_process

log = get_logger()

_LOCK_NAME = "supervisor.lock"
_YOUNG_S = 60.0


def lock_database(database: Path) -> int:
    """Lock the database's folder; return the descriptor that holds the lock until it is closed.

    A lock cannot be stale, as a pid file can (overmind#50). Raises AlreadyRunning, and
    DatabaseUnusable if the folder cannot be used.
    """
    path = database.parent / _LOCK_NAME
    try:
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseUnusable(f"cannot make {path}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise AlreadyRunning(
            f"Orpheus is already running on {database} (another process holds {path}); "
            "stop it first, or give this one its own folder: --set database.url=sqlite:///FILE"
        ) from None
    return fd


def kill_leftovers(database: Path) -> None:
    """Kill every process that an earlier supervisor of this database has left running.

    This comes before anything is written: a stopped process may hold the write lock, and one that
    was just being started has no row yet. What a supervisor starts carries the database's prefix
    in its environment; a process without it was started by hand, and is left alone.
    """
    killed = kill_processes_of(database)
    if killed:
        log.warning("leftovers_killed", processes=killed, why="left by an earlier supervisor")


def sweep_database(store: Store, database: Path, boot_id: str, now_ms: int) -> None:
    """Free the leases of dead processes that an earlier supervisor left, and delete their rows.

    A dead process is recognized by pid, create time and boot id. Call it after `kill_leftovers`.
    """
    for record in store.processes.all():
        if not _is_alive(record, boot_id):
            reason = "left behind by an earlier supervisor"
            last_exit = LastExit(now_ms, reason, signal=None, code=None, evidence=None)
            end_process(store, database, ProcessEnded(record.slot, record.incarnation, last_exit))
    store.processes.remove_slots([slot.slot for slot in store.processes.slots()])
    store.supervision.clear()
    _remove_old_cells(store, database)


def _remove_old_cells(store: Store, database: Path) -> None:
    """Delete the cells and crash files of processes that have no row any more.

    A young file may belong to a process that somebody is just starting by hand: it is left for the
    next start.
    """
    alive = {record.incarnation for record in store.processes.all()}
    young_s = time.time() - _YOUNG_S
    for file in cell_path(database, "any").parent.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if file.stem not in alive and file.stat().st_mtime < young_s:
                file.unlink()


def _is_alive(record: ProcessRecord, boot_id: str) -> bool:
    return record.boot_id == boot_id and is_alive(record.pid, record.create_time_s)
