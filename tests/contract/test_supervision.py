"""What operators ask of the supervisor, and what it counts and measures."""

import contextlib
from collections.abc import Callable

import pytest

from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import Store


def test_requests_are_taken_once_and_oldest_first(
    store: Store, another: Callable[[], Store]
) -> None:
    restart = store.supervision.put_request(RequestAction.RESTART, "default-1")
    scale = store.supervision.put_request(RequestAction.SCALE, "default", 4)
    assert store.supervision.is_waiting(restart)

    supervisor = another()
    assert supervisor.supervision.take_requests() == [
        Request(restart, RequestAction.RESTART, "default-1"),
        Request(scale, RequestAction.SCALE, "default", 4),
    ]
    assert supervisor.supervision.take_requests() == []
    assert not store.supervision.is_waiting(restart)


def test_the_id_of_a_request_is_never_that_of_one_taken_before(store: Store) -> None:
    first = store.supervision.put_request(RequestAction.STACK, "api")
    store.supervision.take_requests()
    second = store.supervision.put_request(RequestAction.DRAIN, "default-1")
    assert first != second
    assert not store.supervision.is_waiting(first)
    assert store.supervision.is_waiting(second)


def test_looking_for_requests_needs_no_write_lock_while_there_are_none(
    store: Store, another: Callable[[], Store]
) -> None:
    supervisor = another()
    with store.write(durable=False):
        assert supervisor.supervision.take_requests() == []


def test_a_request_rings_the_supervisor_after_its_commit(store: Store) -> None:
    with contextlib.closing(store.bells.listen_supervisor()) as bell:
        with store.write(durable=True):
            store.supervision.put_request(RequestAction.RESTART, "default-1")
            assert not bell.drain()
        assert bell.drain()


def test_a_request_that_is_undone_rings_nobody(store: Store) -> None:
    def put_and_fail() -> None:
        store.supervision.put_request(RequestAction.RESTART, "default-1")
        raise NotFound("as if")

    with contextlib.closing(store.bells.listen_supervisor()) as bell:
        with pytest.raises(NotFound), store.write(durable=True):
            put_and_fail()
        with store.write(durable=True), contextlib.suppress(NotFound), store.savepoint():
            put_and_fail()
        assert not bell.drain()
    assert store.supervision.take_requests() == []


def test_exits_are_counted_by_slot_and_cause(store: Store) -> None:
    for cause in ("crashed", "hung", "crashed"):
        store.supervision.count_exit("default-1", cause)
    store.supervision.count_exit("api", "crashed")
    assert store.supervision.exit_counts() == {
        ("api", "crashed"): 1,
        ("default-1", "crashed"): 2,
        ("default-1", "hung"): 1,
    }


def test_a_gauge_holds_its_latest_value(store: Store) -> None:
    store.supervision.put_gauge("loop_lag_s", 0.5)
    store.supervision.put_gauge("loop_lag_s", 0.002)
    assert store.supervision.gauges() == {"loop_lag_s": 0.002}


def test_a_supervisor_starts_with_nothing_of_an_earlier_one(store: Store) -> None:
    request = store.supervision.put_request(RequestAction.RESTART, "default-1")
    store.supervision.count_exit("default-1", "crashed")
    store.supervision.put_gauge("loop_lag_s", 0.5)
    store.supervision.clear()
    assert not store.supervision.is_waiting(request)
    assert store.supervision.take_requests() == []
    assert store.supervision.exit_counts() == {}
    assert store.supervision.gauges() == {}
