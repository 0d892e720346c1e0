"""One connection: what is lost is opened anew, never in the middle of a transaction."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from orpheus.client.connection import SharedStore
from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.errors import (
    CommitInDoubt,
    ConfigurationError,
    DatabaseAway,
    DatabaseBusy,
    DatabaseUnusable,
)
from orpheus.shared.storage.postgres.connection import Connection

BEGIN = "BEGIN; SELECT 7"
Connect = Callable[..., Connection]
Kill = Callable[[Connection], None]


def count_of(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM orpheus.host_builds").fetchone()
    assert row is not None
    return int(row[0])


def insert(connection: Connection, name: str = "one") -> None:
    connection.execute("INSERT INTO orpheus.host_builds VALUES (?, 'build', 1)", (name,))


def test_values_come_back_as_they_do_from_sqlite(connection: Connection) -> None:
    sql = """SELECT ?, ?, ?::text, ?::double precision, sum(one), sum(one) / 4.0, true,
        '{"a": 1}'::json, '[1]'::jsonb FROM (VALUES (1::bigint), (2)) AS ones (one)"""
    row = connection.execute(sql, (2**62, True, None, 0.1)).fetchone()
    assert row == (2**62, 1, None, 0.1, 3, 0.75, 1, '{"a": 1}', "[1]")
    assert row is not None
    assert [type(value) for value in row[4:7]] == [int, float, int]


def test_a_connection_that_died_while_idle_is_opened_anew(
    connection: Connection, kill: Kill
) -> None:
    kill(connection)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    kill(connection)
    assert connection.begin(BEGIN) == 7
    insert(connection)
    connection.commit()
    assert connection.opened == 3
    assert count_of(connection) == 1


def test_a_transaction_whose_connection_dies_writes_nothing(
    connection: Connection, kill: Kill
) -> None:
    connection.begin(BEGIN)
    insert(connection)
    kill(connection)
    for _ in range(2):  # whoever goes on all the same must not go on outside of a transaction
        with pytest.raises(DatabaseBusy, match="nothing was written"):
            insert(connection, "two")
    connection.roll_back()
    assert count_of(connection) == 0


def test_nobody_can_tell_what_became_of_a_lost_commit(connection: Connection, kill: Kill) -> None:
    connection.begin(BEGIN)
    insert(connection)
    kill(connection)
    with pytest.raises(CommitInDoubt, match="may have been done"):
        connection.commit()
    connection.roll_back()
    assert count_of(connection) == 0


def test_a_commit_of_a_failed_transaction_is_an_error(connection: Connection) -> None:
    connection.begin(BEGIN)
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    with pytest.raises(DatabaseUnusable, match="had failed"):
        connection.commit()
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_two_that_wait_for_each_other_do_not_wait_for_ever(connect: Connect) -> None:
    one, two = connect(), connect()
    one.begin(BEGIN)
    insert(one, "a")
    two.begin(BEGIN)
    insert(two, "b")
    errors: list[Exception] = []

    def insert_other() -> None:
        try:
            insert(two, "a")
        except DatabaseBusy as error:
            errors.append(error)
            two.roll_back()

    thread = threading.Thread(target=insert_other)
    thread.start()
    try:
        insert(one, "b")
    except DatabaseBusy as error:
        errors.append(error)
        one.roll_back()
    thread.join(20)
    assert len(errors) == 1
    assert "try again" in str(errors[0])


def test_a_wait_for_a_lock_has_a_bound(connect: Connect) -> None:
    one, two = connect(), connect(lock_timeout="20ms")
    one.begin(BEGIN)
    insert(one)
    two.begin(BEGIN)
    with pytest.raises(DatabaseBusy):
        insert(two)


def test_the_bounds_hold_in_a_session_and_behind_a_pooler(connect: Connect) -> None:
    for one in (connect(), connect(pooled=True)):
        one.begin("; ".join(("BEGIN", *one.settings, "SELECT 1")))
        assert one.execute("SHOW lock_timeout").fetchone() == ("9s",)
        assert one.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("10s",)
        one.roll_back()


def test_who_stands_still_in_a_transaction_loses_it(
    connect: Connect, admin: psycopg.Connection, wait_for: Callable[..., object]
) -> None:
    one = connect(idle_in_transaction_session_timeout="20ms")
    one.begin(BEGIN)
    insert(one)
    raw = one._connection
    assert raw is not None
    own = (raw.info.backend_pid,)
    gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
    wait_for(lambda: admin.execute(gone, own).fetchone() == (True,), "the end of the session")
    with pytest.raises(DatabaseBusy):
        insert(one, "two")


def prepared(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert row is not None
    return int(row[0])


def test_statements_stay_prepared_after_a_roll_back_but_not_behind_a_pooler(
    connect: Connect,
) -> None:
    one, behind_pooler = connect(), connect(pooled=True)
    for connection in (one, behind_pooler):
        for n in range(10):
            connection.begin(BEGIN)
            connection.execute("SELECT ? + 1", (n,))
            connection.roll_back()
    assert prepared(one) >= 1
    assert prepared(behind_pooler) == 0


def test_a_forked_child_has_a_connection_of_its_own(connection: Connection, tmp_path: Path) -> None:
    settings = StorageSettings(url=f"sqlite:///{tmp_path}/o.db", durable=False, pools={})
    client = SharedStore(
        settings
    )  # it holds its calls meanwhile, which are none of this connection
    child = os.fork()
    if child == 0:
        fine = connection.execute("SELECT 2").fetchone() == (2,)
        connection.close()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert connection.execute("SELECT 1").fetchone() == (1,)
    assert connection.opened == 1
    client.close()


def never(raw: psycopg.Connection, name: str) -> None:
    raise AssertionError


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(DatabaseAway, match=r"127\.0\.0\.1/jobs cannot be reached") as raised:
        Connection("postgresql://me:secret@127.0.0.1:1/jobs", pooled=False, prepare=never)
    assert "secret" not in str(raised.value)


def test_what_a_server_refuses_is_no_reason_to_wait(postgresql_url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="does not exist"):
        Connection(f"{postgresql_url}_of_nobody", pooled=False, prepare=never)


@pytest.mark.parametrize("wrong", ["postgresql://me:secret@[host/x", "postgresql://h?secret=1"])
def test_a_url_that_is_none_is_refused_without_its_password(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.url") as raised:
        Connection(wrong, pooled=False, prepare=never)
    assert "secret" not in str(raised.value)
