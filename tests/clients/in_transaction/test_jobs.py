"""Keys, dependencies, events and isolation, while an application's transaction is open."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from orpheus import Client
from orpheus.client import DatabaseBusy
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store
from orpheus.shared.storage.postgres.notices import CHANNEL
from tests.clients.in_transaction.conftest import Jobs

Connect = Callable[..., Any]
WaitFor = Callable[..., Any]
LEVELS = ("READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE")


def new_job(jobs: Jobs, **fields: Any) -> NewJob:
    """Return a job that a program of Orpheus submits."""
    return NewJob("add", queue=jobs.queue, **fields)


@pytest.fixture(params=LEVELS)
def isolated(request: pytest.FixtureRequest, connection: Any) -> Any:
    """The connection, whose transaction has seen the database as it is now."""
    connection.isolation_level = psycopg.IsolationLevel[request.param]
    connection.execute("SELECT count(*) FROM orpheus.jobs")
    return connection


# Unique keys


@pytest.mark.parametrize("first_commits", [True, False])
def test_of_two_transactions_with_one_unique_key_the_second_waits_for_the_first(
    connect: Connect, connection: Any, client: Client, jobs: Jobs, wait_for: WaitFor,
    first_commits: bool,
) -> None:  # fmt: skip
    key = f"{jobs.queue} both"
    first = client.submit(jobs.new(unique_key=key))
    other, admin = connect(), connect(autocommit=True)
    found: list[int] = []
    second = threading.Thread(
        target=lambda: found.append(Client(connection=other).submit(jobs.new(unique_key=key)).id)
    )
    second.start()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    wait_for(lambda: admin.execute(waiting, (other.info.backend_pid,)).fetchone(), "it to wait")
    assert found == []
    connection.commit() if first_commits else connection.rollback()
    second.join()
    other.commit()
    assert (found == [first.id]) is first_commits
    assert jobs.ids() == found


def test_a_key_that_was_taken_since_the_snapshot_is_a_conflict(
    connection: Any, client: Client, store: Store, jobs: Jobs
) -> None:
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.execute("SELECT count(*) FROM orpheus.jobs")
    key = f"{jobs.queue} taken"
    taken = store.jobs.submit(new_job(jobs, unique_key=key)).job.id
    with pytest.raises(DatabaseBusy, match=r"since yours began; roll.*back and run it again"):
        client.submit(jobs.new(unique_key=key))
    connection.rollback()
    assert client.submit(jobs.new(unique_key=key)).id == taken


# Dependencies


@pytest.mark.parametrize("ends_first", [True, False])
def test_a_job_that_runs_is_held_up_by_no_job_that_comes_to_depend_on_it(
    connection: Any, client: Client, store: Store, jobs: Jobs, ends_first: bool
) -> None:
    running = store.jobs.submit(new_job(jobs)).job.id
    lease = jobs.lease()
    waiting = client.submit(jobs.new(depends_on=[running]))
    second = client.submit(jobs.new(depends_on=[waiting]))
    assert (waiting.status, second.status) == ("blocked", "blocked")
    assert store.leases.renew({lease.job_id: lease.token}, 30_000) == set()
    asked, has_ended = store.jobs.cancel(running)
    assert (asked.cancel_requested, has_ended) == (True, False)
    if ends_first:
        jobs.finish(lease)
    connection.commit()
    assert store.maintenance.verify() == []
    jobs.link()
    if not ends_first:
        assert jobs.status(waiting.id) == "blocked"
        jobs.finish(lease)
    assert (jobs.status(waiting.id), jobs.status(second.id)) == ("pending", "blocked")
    jobs.finish(jobs.lease())
    assert jobs.status(second.id) == "pending"


def test_a_job_may_depend_on_one_that_changed_since_the_snapshot(
    isolated: Any, client: Client, store: Store, jobs: Jobs
) -> None:
    running = store.jobs.submit(new_job(jobs)).job.id
    isolated.rollback()
    isolated.execute("SELECT count(*) FROM orpheus.jobs")
    lease = jobs.lease()
    waiting = client.submit(jobs.new(depends_on=[running]))
    isolated.commit()
    jobs.link()
    jobs.finish(lease)
    assert jobs.status(waiting.id) == "pending"


def test_a_job_that_was_cancelled_before_it_was_linked_can_be_retried(
    connection: Any, client: Client, store: Store, jobs: Jobs
) -> None:
    running = store.jobs.submit(new_job(jobs)).job.id
    waiting = client.submit(jobs.new(depends_on=[running]))
    connection.commit()
    store.jobs.cancel(waiting.id)
    assert store.jobs.retry(waiting.id).status == "blocked"
    jobs.finish(jobs.lease())
    assert jobs.status(waiting.id) == "pending"


def test_a_dependency_that_fails_cancels_what_an_application_made_depend_on_it(
    connection: Any, client: Client, store: Store, jobs: Jobs
) -> None:
    first = store.jobs.submit(new_job(jobs)).job.id
    waiting = client.submit(jobs.new(depends_on=[first]))
    store.jobs.cancel(first)
    connection.commit()
    jobs.link()
    assert jobs.status(waiting.id) == "cancelled"


# Events


def test_an_open_transaction_delays_its_own_events_only(
    connection: Any, client: Client, store: Store, jobs: Jobs
) -> None:
    before = store.events.last_seq()
    late = client.submit(jobs.new())
    first, second = (store.jobs.submit(new_job(jobs)).job.id for _ in range(2))
    seen = store.events.after(before, 100)
    assert [event.job_id for event in seen] == [first, second]
    connection.commit()
    third = store.jobs.submit(new_job(jobs)).job.id
    found = store.events.after(before, 100)
    assert found[:2] == seen
    assert [event.job_id for event in found[2:]] == [late.id, third]
    assert [event.seq for event in found] == [before + n for n in (1, 2, 3, 4)]


def test_workers_are_told_at_the_commit(
    connect: Connect, connection: Any, client: Client, jobs: Jobs
) -> None:
    listener = connect(autocommit=True)
    listener.execute(f"LISTEN {CHANNEL}")
    client.submit(jobs.new())
    connection.rollback()
    client.submit(jobs.new())
    client.submit_many([jobs.new()] * 3)
    listener.execute(f"NOTIFY {CHANNEL}, 'before'")
    connection.commit()
    listener.execute(f"NOTIFY {CHANNEL}, 'after'")
    told = [notify.payload for notify in listener.notifies(timeout=60, stop_after=3)]
    assert told == ["before", f'["", ["{jobs.queue}"], true, false]', "after"]
