"""What operators ask of the supervisor, and what it counts and measures."""

import contextlib

from msgspec.structs import replace

from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.storage import Store
from tests.contract.conftest import Opener


def test_requests_are_taken_once_and_oldest_first(store: Store, another: Opener) -> None:
    restart = store.supervision.put_request(RequestAction.RESTART, "host-1", "default-1")
    scale = store.supervision.put_request(RequestAction.SCALE, "host-1", "default", 4)
    assert store.supervision.is_waiting(restart)

    supervisor = another()
    taken = supervisor.supervision.take_requests("host-1")
    assert [replace(request, at_ms=0) for request in taken] == [
        Request(restart, RequestAction.RESTART, "host-1", "default-1"),
        Request(scale, RequestAction.SCALE, "host-1", "default", 4),
    ]
    assert supervisor.supervision.take_requests("host-1") == []
    assert not store.supervision.is_waiting(restart)


def test_a_request_rings_the_supervisor_after_its_commit(store: Store) -> None:
    with contextlib.closing(store.bells.listen_supervisor()) as bell:
        with store.write(durable=True):
            store.supervision.put_request(RequestAction.RESTART, "host-1", "default-1")
            assert not bell.drain()
        assert bell.drain()


def test_a_supervisor_starts_with_nothing_of_an_earlier_one(store: Store) -> None:
    request = store.supervision.put_request(RequestAction.RESTART, "host-1", "default-1")
    store.supervision.count_exit("host-1", "default-1", "crashed")
    store.supervision.put_gauge("host-1", "loop_lag_s", 0.5)
    store.supervision.clear(None)
    assert not store.supervision.is_waiting(request)
    assert store.supervision.take_requests("host-1") == []
    assert store.supervision.exit_counts("host-1") == {}
    assert store.supervision.gauges("host-1") == {}


def test_a_request_is_taken_by_the_host_that_it_names(store: Store) -> None:
    for host in ("host-1", "host-2"):
        store.supervision.put_request(RequestAction.RESTART, host, "default-1")
    [request] = store.supervision.take_requests("host-2")
    assert (request.host, request.target) == ("host-2", "default-1")
    assert store.supervision.take_requests("host-2") == []
    assert [one.host for one in store.supervision.take_requests("host-1")] == ["host-1"]


def test_what_a_supervisor_counts_and_measures_is_of_its_host(store: Store) -> None:
    for host, lag_s in (("host-1", 0.5), ("host-2", 0.25)):
        store.supervision.count_exit(host, "default-1", "crashed")
        store.supervision.put_gauge(host, "loop_lag_s", lag_s)
    store.supervision.count_exit("host-2", "default-1", "crashed")
    assert store.supervision.exit_counts("host-1") == {("default-1", "crashed"): 1}
    assert store.supervision.exit_counts("host-2") == {("default-1", "crashed"): 2}
    store.supervision.clear("host-1")
    assert store.supervision.exit_counts("host-1") == {}
    assert store.supervision.gauges("host-1") == {}
    assert store.supervision.gauges("host-2") == {"loop_lag_s": 0.25}
