"""Moves all that a database holds to another one, on SQLite or PostgreSQL, so that nothing is lost.

The source is closed first: from there on it does not change, and a write raises DatabaseUnusable.
It is marked with the name of this move, and so is the target, which nobody else may use until all
rows have arrived and the invariants hold there. A move that is killed goes on when it is asked for
again: the two marks tell that it is the same, and the rows that have arrived tell where it was.

At the end the source is marked as left before the target is released, so that at no moment two
databases may be used. Events keep their numbers, but the target has an epoch of its own: a client
of the stream gets a `reset`.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress

import msgspec

from orpheus.shared.domain.jobs import Status
from orpheus.shared.errors import AlreadyRunning
from orpheus.shared.process.clock import is_alive
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.storage import MoveMark, MoveRefused, MoveState, Store

_BEATS_MS = 20_000
"""A process with an older last beat that is not seen here counts as dead."""


class End(msgspec.Struct, frozen=True):
    """One end of a move: the database, and its name as it is shown."""

    store: Store
    name: str


Tell = Callable[[str, int, int], None]
"""Called after each batch with a table, how many of its rows have arrived, and how many it has."""


def move(source: End, target: End, tell: Tell) -> dict[str, int]:
    """Move everything; return the number of rows by table. Go on with a move that was killed.

    Raises AlreadyRunning if a process uses one of the two, MoveRefused with what to do, and
    StorageError; then the source is as it was, but it may be closed, and the move can be repeated.
    If another process begins to copy the same, this one is refused.
    """
    if source.store.moves.schema_version() != target.store.moves.schema_version():
        raise MoveRefused(
            f"{source.name} has a schema of a newer Orpheus: use that to move it, else what this "
            "one does not know would be lost"
        )
    arriving = _take_over(source, target) or _begin(source, target)
    counts = _copy(source.store, target.store, arriving, tell)
    _check(counts, target)
    says = (
        f"{source.name} was moved to {target.name}: set database.url to that one; or, to go on "
        "with this one as it was then, run `orpheus db reopen`"
    )
    left = MoveMark(MoveState.LEFT, _move_of(arriving), says)
    source.store.moves.replace_mark(left.move, left)
    target.store.moves.release(arriving.move)
    return counts


def _arriving(source: End, target: End, name: str) -> MoveMark:
    """Return the mark of a target while this process, and no other, copies to it."""
    says = (
        f"a move of {source.name} to {target.name} is unfinished: go on with `orpheus db move`, or "
        "delete this database"
    )
    return MoveMark(MoveState.ARRIVING, f"{name}-{secrets.token_hex(8)}", says)


def _move_of(arriving: MoveMark) -> str:
    return arriving.move.partition("-")[0]


def _take_over(source: End, target: End) -> MoveMark | None:
    """Go on with the move between these two, whoever began it; None: there is none."""
    left, before = source.store.moves.mark(), target.store.moves.mark()
    if left is None or left.state is MoveState.ARRIVING:
        return None
    if before is None or before.state is not MoveState.ARRIVING or _move_of(before) != left.move:
        return None
    arriving = _arriving(source, target, left.move)
    target.store.moves.replace_mark(before.move, arriving)
    return arriving


def _begin(source: End, target: End) -> MoveMark:
    """Close the source and reserve the target, if both may be; return the mark of the target."""
    left, arriving = source.store.moves.mark(), target.store.moves.mark()
    if left is not None and left.state is not MoveState.LEAVING:
        raise MoveRefused(left.says)
    if arriving is not None and arriving.state is not MoveState.ARRIVING:
        raise MoveRefused(
            f"{target.name} was moved away before, and still has what it held then: move to a new "
            f"database, or put this one out of the way first ({_way_out(target)})"
        )
    if arriving is not None:
        raise MoveRefused(
            f"{target.name} has an unfinished move of another database, or of one that was "
            "reopened since: delete it, or move to another one"
        )
    _refuse_users(target)
    filled = target.store.moves.first_filled()
    if filled is not None:
        raise MoveRefused(
            f"{target.name} is not empty (its table {filled} has rows): move to a new database"
        )
    name = secrets.token_hex(8)
    closed = (
        f"a move of {source.name} to {target.name} is unfinished: go on with `orpheus db move`, or "
        "give it up with `orpheus db reopen`"
    )
    with source.store.write(durable=True):
        source.store.moves.close(
            None if left is None else left.move, MoveMark(MoveState.LEAVING, name, closed)
        )
        _refuse_users(source)
        _refuse_leases(source)
    arriving = _arriving(source, target, name)
    try:
        target.store.moves.reserve(arriving)
    except MoveRefused:
        if left is None:
            with suppress(MoveRefused):  # another move has the source now
                source.store.moves.reopen(name)
        raise MoveRefused(
            f"{source.name} and {target.name} are the same database, or another move to "
            f"{target.name} has begun: move to another one"
        ) from None
    return arriving


def _way_out(end: End) -> str:
    """Return the command that lets a new database have the name of this one."""
    if end.store.has_many_hosts:
        return "`DROP SCHEMA orpheus CASCADE`, which deletes it"
    file = end.store.file_names[0]
    return f"`mv {file} {file}.old`"


def _refuse_users(end: End) -> None:
    store = end.store
    for row in store.processes.all():
        silent_ms = store.processes.silent_ms(row)
        is_here = row.boot_id == store.own_clock.boot_id and is_alive(row.pid, row.create_time_s)
        if is_here or (silent_ms is not None and silent_ms <= _BEATS_MS):
            where = f" on {row.host}" if row.host else ""
            raise AlreadyRunning(
                f"{row.slot} (process {row.pid}{where}) uses {end.name}, or died a moment ago: "
                "stop Orpheus there first, which lets running jobs end"
            )


def _refuse_leases(end: End) -> None:
    leased = end.store.stats.counts()[Status.IN_PROGRESS]
    if leased:
        raise MoveRefused(
            f"{end.name} has leases of workers that died (jobs: {leased}): start Orpheus on it and "
            "stop it again, which ends them"
        )


def _copy(source: Store, target: Store, arriving: MoveMark, tell: Tell) -> dict[str, int]:
    """Copy what has not arrived; return how many rows there are in the source by table."""
    counts = {}
    for table in source.moves.tables:
        of, arrived = source.moves.count(table), target.moves.count(table)
        tell(table.name, arrived, of)
        for rows in source.moves.batches(table, target.moves.last_key(table)):
            target.moves.put(arriving.move, table, rows)
            failpoint("move.batch_copied")
            arrived += len(rows)
            tell(table.name, arrived, of)
        counts[table.name] = of
    target.moves.set_counters(arriving.move, source.moves.counters())
    return counts


def _check(counts: dict[str, int], target: End) -> None:
    """Raise MoveRefused unless all rows have arrived and the invariants hold."""
    store = target.store
    problems = [
        f"of {counts[table.name]} rows of {table.name}, {arrived} have arrived"
        for table in store.moves.tables
        if (arrived := store.moves.count(table)) != counts[table.name]
    ]
    problems += store.maintenance.verify()
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise MoveRefused(
            f"{target.name} is not as it must be, so it is not released: {problems[0]}{more}; "
            "`orpheus db reopen` opens the database that was to be moved, and `orpheus db verify` "
            "tells whether it is so there"
        )
