"""Statements that are sent together: their answers, their errors, and what waits for them."""

from collections.abc import Callable

import psycopg
import pytest

from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.storage.postgres.connection import Connection

INSERT = "INSERT INTO orpheus.host_builds VALUES (?, 'build', 1)"


def names(connection: Connection) -> list[str]:
    sql = "SELECT host FROM orpheus.host_builds ORDER BY host"
    return [row[0] for row in connection.execute(sql).fetchall()]


def begin(connection: Connection) -> list[int]:
    """Begin with the next statement; the time that was read then is in the list."""
    times: list[int] = []
    connection.begin_with_next(
        "BEGIN", "SELECT 7", note_row=lambda row, asked_ns: times.append(row[0])
    )
    return times


def test_a_transaction_begins_with_its_first_statement_and_commits_with_what_waits(
    connection: Connection, messages: list[int]
) -> None:
    times = begin(connection)
    assert connection.execute("SELECT ?", ("first",)).fetchall() == [("first",)]
    assert times == [7]
    connection.send_many([(INSERT, [("a",), ("b",)]), (INSERT, [("c",)])])
    connection.commit()
    assert messages == [3, 4]
    assert names(connection) == ["a", "b", "c"]


def test_a_statement_sees_what_was_sent_before_it(connection: Connection) -> None:
    begin(connection)
    connection.send_many([(INSERT, [("a",)])])
    assert names(connection) == ["a"]
    connection.roll_back()
    assert names(connection) == []


def test_what_waits_is_undone_with_its_part_of_the_transaction(connection: Connection) -> None:
    begin(connection)
    connection.send_many([(INSERT, [("a",)])])
    connection.execute("SAVEPOINT part", prepare=False)
    connection.send_many([(INSERT, [("b",)])])
    connection.undo("ROLLBACK TO part; RELEASE part")
    connection.commit()
    assert names(connection) == ["a"]


def test_the_first_error_is_raised_and_those_behind_it_are_left_out(connection: Connection) -> None:
    for _ in range(2):  # what was not prepared because of the error is prepared the next time
        begin(connection)
        connection.send_many([(INSERT, [("a",)]), ("SELECT 1 / ?", [(0,)]), (INSERT, [("b",)])])
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT ? || 'x'", ("y",))
        connection.roll_back()
        assert names(connection) == []
    assert connection.execute("SELECT ? || 'x'", ("y",)).fetchone() == ("yx",)


def test_an_error_of_what_waited_stops_the_commit(connection: Connection) -> None:
    begin(connection)
    connection.send_many([(INSERT, [("a",), ("a",)])])
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.commit()
    connection.roll_back()
    assert names(connection) == []


def test_nothing_is_written_if_the_connection_dies_before_what_waits_is_sent(
    connection: Connection, kill: Callable[[Connection], None]
) -> None:
    begin(connection)
    connection.execute("SELECT 1")
    connection.send_many([(INSERT, [("a",)])])
    kill(connection)
    with pytest.raises(DatabaseBusy):
        connection.execute("SELECT 1")
    with pytest.raises(DatabaseBusy):
        connection.commit()
    connection.roll_back()
    assert names(connection) == []
