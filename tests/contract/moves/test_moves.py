"""A whole database is moved to another one, whatever the two are, and nothing is lost."""

from collections.abc import Callable
from typing import Any

import apsw
import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import MoveRefused, Store, database_path
from orpheus.shared.storage.postgres import database as postgres_database
from orpheus.shared.storage.sqlite import connection as sqlite_connection
from orpheus.shared.storage.verbs import moves
from tests.contract.moves.killed import BACKENDS, Killed, can_start
from tests.full_database import HOLDER

NOT_MOVED = {
    "processes", "slots", "requests", "answers", "exit_counts", "supervisor_gauges", "leader",
    "history", "lease_tokens", "moves", "new_batches", "schema_migrations", "type_crashes",
}  # fmt: skip
"""Tables of running processes, and of the database itself. What counts on is in `counters`.

Crashes are counted anew: their times are those of one clock.
"""


def client_of(url: str) -> tuple[str, Callable[[str], list[Any]], Callable[[], None]]:
    """The prefix of the tables of a database, what reads them, and what ends that."""
    if url.startswith("sqlite"):
        file = apsw.Connection(str(database_path(url)), flags=apsw.SQLITE_OPEN_READONLY)
        return "", lambda sql: file.execute(sql).fetchall(), file.close
    session = psycopg.connect(url, autocommit=True)
    return "orpheus.", lambda sql: session.execute(sql.encode()).fetchall(), session.close


def rows_of(url: str) -> dict[str, list[Any]]:
    """All that is to be moved, with the types of the values, as the engine's client reads it."""
    schema, execute, close = client_of(url)
    found: dict[str, list[Any]] = {}
    for table in moves.TABLES:
        key = ", ".join(table.key)
        columns = "*"
        if table.sums:
            columns = f"{key}, " + ", ".join(f"CAST(sum({n}) AS bigint)" for n in table.sums)
        group = f"GROUP BY {key}" if table.sums else ""
        rows = execute(f"SELECT {columns} FROM {schema}{table.name} {group} ORDER BY {key}")
        found[table.name] = [tuple((type(value), value) for value in row) for row in rows]
    close()
    return found


def values_of(store: Store) -> dict[str, list[Any]]:
    """The same in one form for both engines."""
    return {
        table.name: [row for rows in store.moves.batches(table, None) for row in rows]
        for table in store.moves.tables
    }


@pytest.mark.parametrize("target", BACKENDS)
@pytest.mark.parametrize("source", BACKENDS)
def test_everything_arrives_and_is_the_same_byte_for_byte_after_the_way_back(
    source: str,
    target: str,
    full: Callable[[str], str],
    new_url: Callable[[str], str],
    moved: Callable[..., dict[str, int]],
    opened: Callable[..., Store],
) -> None:
    first, there, back = full(source), new_url(target), new_url(source)
    before = rows_of(first)
    assert [name for name, rows in before.items() if not rows] == []
    counts = moved(first, there)
    assert counts == {name: len(rows) for name, rows in before.items()}
    arrived, left = opened(there), opened(first, create=False)
    assert values_of(arrived) == values_of(left)
    last = left.moves.counters()
    assert goes_on(arrived.moves.counters(), last)
    assert arrived.maintenance.verify() == []
    assert arrived.events.epoch() != left.events.epoch()
    arrived.close()
    moved(there, back)
    assert rows_of(back) == before
    assert goes_on(opened(back).moves.counters(), last)


def goes_on(counters: dict[str, int], last: dict[str, int]) -> bool:
    """Whether each is what it was; that of tokens may be greater, as tokens may have gaps."""
    return counters == {**last, "lease_tokens": max(last["lease_tokens"], counters["lease_tokens"])}


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_history_goes_on_and_has_each_job_once(
    backend: str,
    full: Callable[[str], str],
    new_url: Callable[[str], str],
    moved: Callable[..., dict[str, int]],
    opened: Callable[..., Store],
    clock: Any,
) -> None:
    other = next(name for name in BACKENDS if name != backend)
    first, there = full(backend), new_url(other)
    left = opened(first)
    done = left.stats.ended()[Status.DONE]
    left.close()
    moved(first, there)
    arrived = opened(there)
    arrived.jobs.submit(NewJob("noop"))
    clock.advance(10_000)
    while arrived.past.fold():
        pass
    points = arrived.past.points(0, 10**11, 3600, "type", None).values()
    figures = [found for steps in points for found in steps.values()]
    assert sum(found.done for found in figures) == done == arrived.stats.ended()[Status.DONE]
    assert sum(found.submitted for found in figures) == sum(arrived.stats.counts().values())
    assert arrived.timeline.find(10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_comes_next_has_numbers_that_were_never_given(
    backend: str,
    full: Callable[[str], str],
    new_url: Callable[[str], str],
    moved: Callable[..., dict[str, int]],
    opened: Callable[..., Store],
) -> None:
    other = next(one for one in BACKENDS if one != backend)
    first, there = full(backend), new_url(other)
    last = opened(first, create=False, to_move=True).moves.counters()
    moved(first, there)
    store = opened(there)
    job_id = store.jobs.submit(NewJob("noop", queue="next")).job.id
    (lease,) = store.leases.lease(HOLDER, ("next",), 1, 30_000)
    assert lease.job_id == job_id > last["jobs"]
    assert lease.token > last["lease_tokens"]
    assert store.audit.record("run", "1", by="cli:ada", reason=None) > last["audit"]
    with store.snapshot():
        (after,) = store.events.after(last["events"], 1)
    assert (after.seq, after.job_id) == (last["events"] + 1, job_id)
    assert store.schedules.get("report").last_run_ms is not None
    assert {row.name: row.paused for row in store.queues.all()}["held"]


@pytest.mark.parametrize(("source", "target"), [BACKENDS, BACKENDS[::-1]])
def test_a_move_that_is_killed_after_each_of_its_commits_loses_nothing(
    source: str,
    target: str,
    full: Callable[[str], str],
    new_url: Callable[[str], str],
    moved: Callable[..., dict[str, int]],
    opened: Callable[..., Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, there = full(source), new_url(target)
    before = rows_of(first)
    commits, left = 0, 0

    def die(failpoint: str) -> None:
        nonlocal left
        left -= failpoint == "commit.after"
        if left < 0:
            raise Killed

    monkeypatch.setattr(moves, "_MOST_ROWS", 40)
    monkeypatch.setattr(sqlite_connection, "program_failpoint", die)
    monkeypatch.setattr(postgres_database, "program_failpoint", die)
    states = [state_of(opened, first, there)]
    while not is_moved(states[-1]):
        left = commits
        with pytest.raises(Killed):
            moved(first, there)
        states.append(state_of(opened, first, there))
        # What it does anew each time may be the only commit: then the next one gets further.
        commits = commits + 1 if states[-1] == states[-2] else 0
        assert not (can_start(opened, first) and has_rows(opened, there))
    left = 99
    assert len(states) > 20
    with pytest.raises(MoveRefused, match="was moved to"):
        moved(first, there)
    assert can_start(opened, there) and not can_start(opened, first)
    assert rows_of(first) == before
    assert values_of(opened(there)) == values_of(opened(first, create=False))


def state_of(opened: Callable[..., Store], *urls: str) -> list[tuple[str | None, int]]:
    """What is noted of a move at its two ends, and how many rows are there."""
    found = []
    for url in urls:
        store = opened(url, to_move=True)
        mark, rows = store.moves.mark(), sum(map(store.moves.count, store.moves.tables))
        found.append((mark.state.value if mark else None, rows))
        store.close()
    return found


def is_moved(state: list[tuple[str | None, int]]) -> bool:
    (left, _), (arriving, rows) = state
    return left == "left" and arriving is None and rows > 0


def has_rows(opened: Callable[..., Store], url: str) -> bool:
    """Whether a program may use it, and finds something."""
    try:
        store = opened(url)
    except DatabaseUnusable:
        return False
    found = store.moves.first_filled()
    store.close()
    return found is not None


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_table_is_moved_or_is_of_running_processes(
    backend: str, new_url: Callable[[str], str], opened: Callable[..., Store]
) -> None:
    database = opened(new_url(backend))._database
    tables = (
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if backend == "sqlite"
        else "SELECT tablename::text FROM pg_tables WHERE schemaname = 'orpheus'"
    )
    found = {row[0] for row in database.all(tables)}
    if backend == "postgresql":  # there, `events` is a view of two
        found = found - {"event_batches", "event_rows"} | {"events"}
    moved = {table.name for table in moves.TABLES}
    assert moved <= found
    assert found - moved <= NOT_MOVED


def test_the_tables_have_the_same_columns_in_all_backends(
    new_url: Callable[[str], str], opened: Callable[..., Store]
) -> None:
    stores = [opened(new_url(backend)) for backend in BACKENDS]
    for table in moves.TABLES:
        first, other = (store.moves._columns_of(table) for store in stores)
        assert first == other
        assert {*table.key, *table.sums} <= {*first}
        if table.sums:
            assert {*first} == {*table.key, *table.sums, *table.largest}
