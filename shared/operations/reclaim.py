"""Takes back the leases of workers that do not renew them, by what their crash cells tell.

A supervisor frees the leases of its own workers when it sees them die. This is for the rest: a
worker that was started alone, one of an earlier boot, and one of another host. What a dead worker's
jobs wrote last is stored in the transaction in which its leases are reclaimed.

Pids and cells mean nothing on another host: of a worker there, only the expiry of its leases tells.
A worker of this host has its cell here. Which supervisors live, their heartbeats and locks tell.
"""

import contextlib
import time
from collections.abc import Set as AbstractSet

from orpheus.shared.domain.processes import SILENT_MS, ProcessRecord, Role
from orpheus.shared.process.clock import is_alive
from orpheus.shared.process.crash_cell import read_cell, remove_cell
from orpheus.shared.process.last_lines import NO_JOB, read_last_lines
from orpheus.shared.process.supervisor_lock import is_gone
from orpheus.shared.storage import LeaseHolder, LookAtHolder, Store

_YOUNG_S = 60.0


def reclaim_expired(store: Store) -> list[int]:
    """Reclaim every expired lease; return the ids of the jobs."""
    return store.leases.reclaim_expired(_look(store))


def void_other_boots(store: Store, *, only_reboots: bool = False) -> list[int]:
    """Reclaim every lease of an earlier boot; see `Leases.void_other_boots`."""
    return store.leases.void_other_boots(_look(store), only_reboots=only_reboots)


def _look(store: Store) -> LookAtHolder:
    """Return what looks at the cell of a worker, and at its process by pid and create time."""

    def look(incarnation: str) -> LeaseHolder:
        file = store.state.cell(incarnation)
        cell = read_cell(file)
        rows = [row for row in store.processes.all() if row.incarnation == incarnation]
        if store.has_many_hosts and cell is None:
            is_gone = any((store.processes.silent_ms(row) or 0) > SILENT_MS for row in rows)
            return LeaseHolder(seen_ms=store.processes.seen_ms(incarnation) if is_gone else None)
        is_dead = any(_is_dead(store, row) for row in rows)
        is_of_other_boot = any(row.boot_id != store.own_clock.boot_id for row in rows)
        if is_dead or is_of_other_boot:
            running = NO_JOB if cell is None else cell.running_token
            store.logs.append_last(incarnation, read_last_lines(file, running))
            return LeaseHolder(cell, is_dead, store.processes.seen_ms(incarnation))
        return LeaseHolder(cell, is_dead)

    return look


def forget_dead_workers(store: Store) -> None:
    """Delete the rows and files of workers that were started alone, died, and hold no lease.

    A process that this one cannot see may live in another container, so it must be silent as well.
    """
    for row in store.processes.all():
        file, age_ms = store.state.cell(row.incarnation), store.processes.silent_ms(row)
        is_alone, is_silent = "@" in row.slot, age_ms is not None and age_ms > SILENT_MS
        is_here = not store.has_many_hosts or file.exists()
        if not (row.role is Role.WORKER and is_alone and is_silent and is_here):
            continue
        if _is_dead(store, row) and store.processes.forget_without_leases(row.incarnation):
            remove_cell(file)


def remove_old_cells(store: Store, kept: AbstractSet[str] = frozenset()) -> None:
    """Delete the cells and crash files of processes that have no row and no lease, except `kept`.

    A young file may belong to a process that somebody is just starting by hand: it is left for the
    next start.
    """
    kept = kept | {record.incarnation for record in store.processes.all()}
    young_s = time.time() - _YOUNG_S
    for file in store.state.cells.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            is_old = file.stem not in kept and file.stat().st_mtime < young_s
            if is_old and not store.leases.jobs_of(file.stem):
                file.unlink()


def _is_dead(store: Store, row: ProcessRecord) -> bool:
    return row.boot_id == store.own_clock.boot_id and not is_alive(row.pid, row.create_time_s)


def living_supervisors(store: Store, beat_timeout_s: float) -> list[ProcessRecord]:
    """Return the supervisors that beat, without those of this host that are surely gone."""
    return [
        record
        for record in store.processes.all()
        if record.role is Role.SUPERVISOR
        and (age_ms := store.processes.silent_ms(record)) is not None
        and age_ms < beat_timeout_s * 1000
        and not is_gone(store.state.lock, record.incarnation)
    ]


def is_supervised(store: Store, beat_timeout_s: float) -> bool:
    """Return whether a supervisor is running on this database."""
    return bool(living_supervisors(store, beat_timeout_s))
