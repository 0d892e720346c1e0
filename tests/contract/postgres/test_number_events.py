"""Events get their numbers after their commit: no gap, none skipped, a job's in their order."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.contract.conftest import Opener

Connect = Callable[[], psycopg.Connection]
NUMBER = b"SELECT orpheus.number_events()"
EVENT = b"""WITH made AS (INSERT INTO orpheus.new_batches DEFAULT VALUES RETURNING id)
    INSERT INTO orpheus.event_rows (batch, position, at_ms, kind, job_id, body)
    SELECT id, 1, 1, 'k', %s, %s FROM made"""


@pytest.fixture
def opener(postgresql_url: str) -> Iterator[Connect]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(psycopg.connect(postgresql_url, autocommit=True))


def number(connection: psycopg.Connection) -> bool:
    """Number some events; return whether there may be more."""
    return connection.execute(NUMBER).fetchone() == (True,)


def events(connection: psycopg.Connection) -> list[tuple[int, str]]:
    while number(connection):
        pass
    rows = connection.execute(b"SELECT seq, body FROM orpheus.events ORDER BY seq")
    return [(row[0], row[1]) for row in rows]


def test_a_long_transaction_neither_stops_the_others_nor_is_skipped(opener: Connect) -> None:
    long, other = opener(), opener()
    long.execute(b"BEGIN")
    long.execute(EVENT, (1, "long"))
    other.execute(EVENT, (2, "a"))
    assert events(other) == [(1, "a")]
    other.execute(EVENT, (2, "b"))
    long.execute(b"COMMIT")
    assert events(other) == [(1, "a"), (2, "long"), (3, "b")]
    last = other.execute(b"SELECT last_seq FROM orpheus.history").fetchone()
    assert last == (3,)


@pytest.mark.backends("postgresql")
def test_many_are_numbered_in_portions_and_others_read_those_that_have_a_number(
    opener: Connect, another: Opener
) -> None:
    connection, store = opener(), another()
    connection.execute(
        b"""WITH made AS (
            INSERT INTO orpheus.new_batches SELECT generate_series(1, 6000) RETURNING id)
        INSERT INTO orpheus.event_rows (batch, position, at_ms, kind, body)
        SELECT id, position, 1, 'job.done', '{}' FROM made, generate_series(1, 2) AS position"""
    )
    assert number(connection)
    last = connection.execute(b"SELECT last_seq FROM orpheus.history").fetchone()
    assert last == (10_000,)
    with connection.transaction():  # another that numbers, and takes long
        connection.execute(b"SELECT pg_advisory_xact_lock(5715719147254448130)")
        assert store.events.last_seq() == 10_000
        assert [event.seq for event in store.events.after(9_998, 10)] == [9_999, 10_000]
    assert store.events.last_seq() == 12_000


def test_many_that_write_and_number_at_once(opener: Connect) -> None:
    """Four write events of the same three jobs, as the lock on a job's row lets them."""
    setup = opener()
    setup.execute(b"CREATE TABLE held (id int PRIMARY KEY, n int)")
    setup.execute(b"INSERT INTO held VALUES (1, 0), (2, 0), (3, 0)")
    connections = [opener() for _ in range(5)]
    over = threading.Event()

    def write(connection: psycopg.Connection, first: int) -> None:
        for turn in range(50):
            job_id = (first + turn) % 3 + 1
            connection.execute(b"BEGIN")
            sql = b"UPDATE held SET n = n + 1 WHERE id = %s RETURNING n"
            row = connection.execute(sql, (job_id,)).fetchone()
            assert row is not None
            connection.execute(EVENT, (job_id, str(row[0])))
            connection.execute(b"COMMIT")

    def go_on(connection: psycopg.Connection) -> None:
        while not over.is_set():
            number(connection)

    writers = [
        threading.Thread(target=write, args=(one, n)) for n, one in enumerate(connections[:4])
    ]
    numberer = threading.Thread(target=go_on, args=(connections[4],))
    for thread in (numberer, *writers):
        thread.start()
    seen: list[int] = []
    while any(thread.is_alive() for thread in writers):  # a reader follows the numbers
        setup.execute(NUMBER)
        after = (seen[-1] if seen else 0,)
        sql = b"SELECT seq FROM orpheus.events WHERE seq > %s ORDER BY seq"
        seen += [row[0] for row in setup.execute(sql, after)]
    over.set()
    for thread in (numberer, *writers):
        thread.join()
    assert [seq for seq, _ in events(setup)] == list(range(1, 201))
    assert seen == list(range(1, len(seen) + 1))
    for job_id in (1, 2, 3):
        sql = b"SELECT body::int FROM orpheus.events WHERE job_id = %s ORDER BY seq"
        found = [row[0] for row in setup.execute(sql, (job_id,))]
        assert found == list(range(1, len(found) + 1))


def test_folded_counts_have_the_same_sums(opener: Connect) -> None:
    connection, other = opener(), opener()
    connection.execute(
        b"""CREATE VIEW ones AS SELECT n FROM generate_series(1, 300) AS n;
        INSERT INTO orpheus.job_counts SELECT 'q', 'done', 1 FROM ones;
        INSERT INTO orpheus.job_counts SELECT 'q', 'pending', n % 2 * 2 - 1 FROM ones;
        INSERT INTO orpheus.type_totals
            SELECT 0, 'q', '', 'ran', 'failed', n % 2, 1, n, n FROM ones"""
    )
    other.execute(b"BEGIN")
    other.execute(b"INSERT INTO orpheus.job_counts VALUES ('q', 'done', 5)")
    connection.execute(b"SELECT orpheus.fold_counts()")
    other.execute(b"COMMIT")
    for sql, rows in {
        b"SELECT status, n FROM orpheus.job_counts ORDER BY n": [
            ("pending", 0),
            ("done", 5),
            ("done", 300),
        ],
        b"SELECT bucket, n, total, most FROM orpheus.type_totals ORDER BY bucket": [
            (0, 150, 22650, 300),
            (1, 150, 22500, 299),
        ],
    }.items():
        assert connection.execute(sql).fetchall() == rows
