"""A job exists if and only if the application commits, and nothing of its connection changes."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.adapt import Dumper, Loader
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from orpheus import Client
from orpheus.client import DatabaseBusy, DatabaseUnusable, InvalidJob, TooLarge
from orpheus.shared.storage.postgres import application
from orpheus.shared.storage.verbs.events import Events
from tests.clients.in_transaction.conftest import Jobs, Orders

Connect = Callable[..., Any]


def test_a_job_exists_once_the_application_commits(
    connection: Any, client: Client, jobs: Jobs, orders: Orders
) -> None:
    orders.add(connection)
    job = client.submit(jobs.new(), tags=["shop"], priority=3)
    more = client.submit_many([jobs.new(), jobs.new(tags=["a", "b"])])
    assert (jobs.ids(), orders.count()) == ([], 0)
    connection.commit()
    assert (jobs.ids(), orders.count()) == ([job.id, *more], 1)
    assert (job.status, job.priority, job.tags) == ("pending", 3, ("shop",))
    assert jobs.lease().job_id == job.id


def test_a_job_never_exists_if_the_application_rolls_back(
    connection: Any, client: Client, jobs: Jobs, orders: Orders
) -> None:
    orders.add(connection)
    client.submit(jobs.new())
    client.submit_many([jobs.new(), jobs.new()])
    connection.rollback()
    assert (jobs.ids(), orders.count()) == ([], 0)
    with pytest.raises(psycopg.errors.DivisionByZero), connection:
        connection.execute("SELECT 1 / %s", (client.submit(jobs.new()).priority,))
    assert jobs.ids() == []


def test_a_savepoint_that_is_rolled_back_takes_its_job_with_it(
    connection: Any, client: Client, jobs: Jobs
) -> None:
    before = client.submit(jobs.new())
    with connection.transaction(force_rollback=True):
        client.submit(jobs.new(unique_key=f"{jobs.queue} in doubt"))
    connection.execute("SAVEPOINT part")
    client.submit(jobs.new())
    connection.execute("ROLLBACK TO part")
    after = client.submit(jobs.new(unique_key=f"{jobs.queue} in doubt"))
    connection.commit()
    assert jobs.ids() == [before.id, after.id]


def test_in_autocommit_mode_each_call_is_a_transaction(connect: Connect, jobs: Jobs) -> None:
    connection = connect(autocommit=True)
    client = Client(connection=connection)
    job = client.submit(jobs.new())
    assert jobs.ids() == [job.id]
    more = client.submit_many([jobs.new(), jobs.new()])
    assert connection.info.transaction_status is TransactionStatus.IDLE
    assert jobs.ids() == [job.id, *more]
    with pytest.raises(InvalidJob):
        client.submit_many([jobs.new(), jobs.new("strict")])
    with connection.transaction(force_rollback=True):
        assert client.submit(jobs.new()).id > more[-1]
        assert jobs.ids() == [job.id, *more]
    assert (jobs.ids(), connection.autocommit) == ([job.id, *more], True)


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (lambda client, jobs: client.submit(jobs.new("strict")), InvalidJob),
        (lambda client, jobs: client.submit(jobs.new("nobody")), InvalidJob),
        (lambda client, jobs: client.submit(jobs.new(depends_on=[2**40])), InvalidJob),
        (lambda client, _: client.submit("add", {"text": "x" * 2_000_000}), TooLarge),
        (lambda client, jobs: client.submit_many([jobs.new(), jobs.new("strict")]), InvalidJob),
        (lambda client, _: client.get(2**40), LookupError),
    ],
    ids=["payload", "type", "dependency", "size", "one of many", "unknown id"],
)
def test_a_refused_call_does_not_spoil_the_transaction(
    connection: Any, client: Client, jobs: Jobs, orders: Orders, refused: Any, error: Any
) -> None:
    orders.add(connection)
    with pytest.raises(error):
        refused(client, jobs)
    job = client.submit(jobs.new())
    connection.commit()
    assert (jobs.ids(), orders.count()) == ([job.id], 1)


def test_a_failed_statement_of_ours_is_undone_alone(
    connect: Connect, connection: Any, client: Client, jobs: Jobs, orders: Orders
) -> None:
    other = connect()
    Client(connection=other).submit(jobs.new(unique_key=jobs.queue))
    orders.add(connection)
    connection.execute("SET LOCAL statement_timeout = '50ms'")
    with pytest.raises(DatabaseBusy, match=r"stopped a statement.*statement timeout.*run it again"):
        client.submit(jobs.new(unique_key=jobs.queue))
    connection.commit()
    other.rollback()
    assert (jobs.ids(), orders.count()) == ([], 1)


def test_a_failed_transaction_is_told_and_goes_on_after_its_rollback(
    connection: Any, client: Client, jobs: Jobs
) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")
    with pytest.raises(DatabaseUnusable, match=r"has failed.*roll it back"):
        client.submit(jobs.new())
    connection.rollback()
    job = client.submit(jobs.new())
    connection.commit()
    assert jobs.ids() == [job.id]


def test_a_connection_that_cannot_be_used_now_is_told(
    connect: Connect, connection: Any, client: Client, jobs: Jobs
) -> None:
    with connection.pipeline(), pytest.raises(DatabaseUnusable, match="pipeline"):
        client.submit(jobs.new())
    client.submit(jobs.new())
    admin = connect(autocommit=True)
    admin.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(DatabaseBusy, match=r"your connection was lost.*run it again"):
        client.submit(jobs.new())
    with pytest.raises(DatabaseUnusable, match="is closed, or was lost"):
        client.submit(jobs.new())
    assert jobs.ids() == []


class _Shouted(Loader):
    def load(self, data: Any) -> str:
        return bytes(data).decode().upper()


class _Words(Dumper):
    def dump(self, obj: Any) -> bytes:
        return b"seven"


def test_the_connection_is_left_as_it_was(connect: Connect, jobs: Jobs) -> None:
    connection = connect(row_factory=dict_row, cursor_factory=psycopg.ClientCursor)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.prepare_threshold = 1
    connection.prepared_max = 3
    connection.adapters.register_loader("text", _Shouted)
    connection.adapters.register_dumper(float, _Words)
    connection.execute(
        "SET search_path = 'pg_temp'; SET statement_timeout = '50s'; SET lock_timeout = '51s';"
        "CREATE TEMPORARY TABLE jobs (of_the_application text);"
        "DO 'BEGIN END'"  # from the first use of a trigger's language on, its settings are shown
    )
    connection.commit()
    client = Client(connection=connection)
    with connection.cursor("page") as page:
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = '52s'")
        page.execute("SELECT n FROM generate_series(1, 3) AS n")
        assert page.fetchone() == {"n": 1}
        before = state_of(connection)
        job = client.submit(jobs.new(timeout=1.5, tags=["a", "b"]))
        client.submit_many([jobs.new(ref="one"), jobs.new(depends_on=["one"])])
        assert [one.id for one in client.jobs(queue=jobs.queue)][-1] == job.id
        with pytest.raises(InvalidJob):
            client.submit(jobs.new("nobody"))
        assert (client.get(job).type, client.get(job).timeout) == ("add", 1.5)
        assert state_of(connection) == before
        assert page.fetchall() == [{"n": 2}, {"n": 3}]
    connection.commit()
    client.close()
    assert connection.execute("SELECT 'open' AS is").fetchone() == {"is": "OPEN"}
    assert connection.info.transaction_status is TransactionStatus.INTRANS


def state_of(connection: Any) -> dict[str, Any]:
    """Return what an application can have set, and the number of its transaction."""
    with psycopg.RawCursor(connection) as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings ORDER BY name", prepare=False)
        settings = cursor.fetchall()
        cursor.execute("SELECT count(*) AS n FROM pg_prepared_statements", prepare=False)
        prepared = cursor.fetchall()
        cursor.execute("SELECT pg_current_xact_id()::text AS n", prepare=False)
        names = ("autocommit", "isolation_level", "read_only", "deferrable", "row_factory",
                 "cursor_factory", "prepare_threshold", "prepared_max")  # fmt: skip
        return {
            "settings": settings,
            "prepared": prepared,
            "transaction": cursor.fetchall(),
            **{name: getattr(connection, name) for name in names},
        }


def test_an_interrupted_call_is_undone_whole(
    connect: Connect, connection: Any, client: Client, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts that it has gathered are gone (`jobs` verifies them), and so are its locks."""
    with monkeypatch.context() as patch:
        patch.setattr(Events, "record_jobs", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.submit(jobs.new(unique_key=jobs.queue))
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    assert connection.execute(locks).fetchone() == (0,)
    job = client.submit(jobs.new(unique_key=jobs.queue))
    assert connection.execute(locks).fetchone() == (1,)
    connection.commit()
    assert jobs.ids() == [job.id]


def interrupted(*_: Any) -> None:
    """As if Ctrl-C was pressed."""
    raise KeyboardInterrupt


def test_a_connection_that_is_lost_in_our_commit_leaves_open_whether_the_job_is_stored(
    connect: Connect, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, admin = connect(autocommit=True), connect(autocommit=True)

    def cut(_: object) -> None:
        admin.execute("SELECT pg_terminate_backend(%s, 60000)", (connection.info.backend_pid,))

    monkeypatch.setattr(application, "notice_of", cut)
    with pytest.raises(DatabaseUnusable, match=r"lost in a commit.*may have been done"):
        Client(connection=connection).submit(jobs.new())
    assert jobs.ids() == []
