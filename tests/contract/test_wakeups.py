"""A commit rings whom it concerns, after it is visible, and nobody when it was undone."""

import contextlib

from shared.jobs import Holder, NewJob
from shared.storage import Store


def test_a_new_job_rings_the_pools_that_serve_its_queue_and_the_api(store: Store) -> None:
    bells = {name: store.bells.listen_pool(name) for name in ("default", "mail")}
    api = store.bells.listen_api()
    store.jobs.submit(NewJob("noop", queue="reports"))
    assert {name: bell.drain() for name, bell in bells.items()} == {"default": True, "mail": False}
    assert api.drain()
    store.jobs.submit(NewJob("noop", queue="mail"))
    assert all(bell.drain() for bell in bells.values())
    for bell in (*bells.values(), api):
        bell.close()


def test_a_delayed_job_rings_too_so_that_sleepers_learn_its_time(store: Store) -> None:
    bell = store.bells.listen_pool("default")
    store.jobs.submit(NewJob("noop", delay_ms=60_000))
    assert bell.drain()
    bell.close()


def test_nobody_is_woken_before_the_commit_or_by_an_undone_one(store: Store) -> None:
    bell = store.bells.listen_pool("default")
    with store.write(durable=True):
        store.jobs.submit(NewJob("noop"))
        assert not bell.drain()
    assert bell.drain()
    with contextlib.suppress(RuntimeError), store.write(durable=True):
        store.jobs.submit(NewJob("noop"))
        raise RuntimeError
    assert not bell.drain()
    bell.close()


def test_a_lease_given_back_rings_for_the_next_worker(store: Store, holder: Holder) -> None:
    bell = store.bells.listen_pool("default")
    store.jobs.submit(NewJob("noop"))
    bell.drain()
    leases = store.leases.lease(holder, ("*",), 1, 30_000)
    assert not bell.drain()
    store.leases.hand_back(leases)
    assert bell.drain()
    bell.close()
