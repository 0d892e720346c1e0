"""The event log: in commit order, without gaps, and enough to rebuild the table."""

import json

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store
from tests.contract.conftest import Submit


def test_an_event_of_a_transaction_that_was_undone_is_not_there(store: Store) -> None:
    try:
        with store.write(durable=True):
            store.jobs.submit(NewJob("noop"))
            raise RuntimeError
    except RuntimeError:
        pass
    store.jobs.submit(NewJob("noop"))
    assert [event.seq for event in store.events.after(0, 10)] == [1]


def test_a_savepoint_undoes_its_part_alone(store: Store) -> None:
    with store.write(durable=True):
        store.jobs.submit(NewJob("first"))
        try:
            with store.savepoint():
                store.jobs.submit(NewJob("undone", queue="elsewhere"))
                raise RuntimeError
        except RuntimeError:
            pass
        store.jobs.submit(NewJob("second"))
    assert [json.loads(e.body)["type"] for e in store.events.after(0, 10)] == ["first", "second"]
    assert store.stats.counts()[Status.PENDING] == 2
    assert "elsewhere" not in store.stats.counts_by_queue()


def test_other_events_carry_their_own_body(store: Store) -> None:
    store.events.record(Kind.WORKER_READY, {"slot": "default-1", "pid": 7})
    (event,) = store.events.after(0, 10)
    assert (event.kind, event.job_id, json.loads(event.body)) == (
        Kind.WORKER_READY,
        None,
        {"slot": "default-1", "pid": 7},
    )


def test_events_are_read_by_job_and_by_position(store: Store, submit: Submit) -> None:
    first, second = submit(), submit()
    store.jobs.cancel(first)
    assert [event.seq for event in store.events.of_job(first, 10)] == [1, 3]
    assert [event.seq for event in store.events.after(1, 1)] == [2]
    assert (store.events.oldest_seq(), store.events.last_seq()) == (1, 3)
    assert second == 2
