"""A queue that stands still for its limits says which of them hold it, and until when."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs import standing, stats
from orpheus.shared.views.queues import queues_json
from tests.contract.conftest import FakeClock

ONE_WORKER = Crew("default", ["*"], [ReadyWorker("default-1", "life-1")])
BUSY = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", jobs=1)])


def test_a_queue_whose_limit_holds_its_due_jobs_says_which_and_when_the_next_may_start(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    slow, fast = Rate(2, 60), Rate(10, 1)
    store.queues.configure(
        {
            "fast": QueueRules(rate=fast),
            "few": QueueRules(max_running=1, rate=slow),
            "later": QueueRules(rate=slow),
            "mail": QueueRules(rate=slow),
            "off": QueueRules(rate=slow),
        }
    )
    for queue in ("fast", "few", "mail", "off"):
        submit(queue=queue), submit(queue=queue)
    submit(queue="later"), submit(queue="later", delay_ms=60_000)
    assert limited(store) == {}
    assert len(lease(10)) == 5
    clock.advance(10_000)
    store.queues.pause("off")
    assert limited(store) == {
        "few": ("held by its max_running and its rate", None),
        "mail": ("held by its rate", pytest.approx(20, abs=0.01)),
    }
    assert limited(store, replace(ONE_WORKER, ready=[])) == {}, "a worker is what it needs"


def test_a_queue_at_its_max_running_whose_jobs_end_does_not_stand_still(
    store: Store,
    submit: Callable[..., int],
    lease: Callable[..., list[Lease]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats, "pace_of", lambda *_: Pace(1, 0.5, 60.0, had_backlog=True))
    store.queues.configure({"few": QueueRules(max_running=1)})
    for _ in range(3):
        submit(queue="few")
    (first,) = lease(10)
    assert limited(store) == {"few": ("held by its max_running", None)}
    store.leases.finish([Finished(first, Ending.SUCCEEDED, result="null")])
    assert len(lease(10)) == 1
    (few,) = queues_json(store, [ONE_WORKER])
    assert few["drain"] is not None and few["limited"] is None


def test_a_queue_all_of_whose_due_jobs_wait_for_their_keys_says_so(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    hourly = Rate(10, 3_600)
    store.queues.configure(
        {
            "both": QueueRules(per_key=KeyRules(2, hourly)),
            "desk": QueueRules(per_key=KeyRules(1)),
            "full": QueueRules(per_key=KeyRules(1, hourly)),
            "mail": QueueRules(per_key=KeyRules(2, hourly)),
        }
    )
    for queue in ("both", "desk", "full", "mail"):
        for key in ("ada", "eve", "ada", "eve"):
            submit(queue=queue, concurrency_key=key)
    taken = lease(10)
    assert len(taken) == 8
    for one in taken:
        if one.queue == "mail":
            store.leases.finish([Finished(one, Ending.SUCCEEDED, result="null")])
    clock.advance(60_000)
    assert limited(store) == {
        "both": ("held by its rate per key", pytest.approx(300, abs=0.01)),
        "desk": ("held by its max_running per key", None),
        "full": ("held by its max_running per key and its rate per key", None),
        "mail": ("held by its rate per key", pytest.approx(300, abs=0.01)),
    }
    submit(queue="desk", concurrency_key="bob")
    assert "desk" not in limited(store), "a free worker takes that one"


def test_of_very_many_keys_that_wait_for_their_rate_the_queue_still_says_so(
    store: Store,
    submit: Callable[..., int],
    lease: Callable[..., list[Lease]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standing, "_MOST_OPENINGS", 1)
    rules = QueueRules(per_key=KeyRules(2, Rate(1, 3_600)))
    store.queues.configure({"desk": rules, "mail": rules})
    for queue in ("desk", "mail"):
        submit(queue=queue, concurrency_key="ada"), submit(queue=queue, concurrency_key="ada")
    assert len(lease(4)) == 2
    told = limited(store)
    assert {text for text, _ in told.values()} == {"held by its rate per key"}
    assert [next_s for _, next_s in told.values()].count(None) == len(told) - 1 == 1


def test_a_queue_whose_key_may_start_again_waits_for_a_worker_not_for_its_rate(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(rate=Rate(1, 60)))})
    for _ in range(2):
        submit(queue="mail", concurrency_key="ada")
    (first,) = lease(10)
    store.leases.finish([Finished(first, Ending.SUCCEEDED, result="null")])
    submit(queue="slow")
    assert len(lease(1, queues=("slow",))) == 1
    assert limited(store, BUSY) == {"mail": ("held by its rate per key", pytest.approx(60, abs=1))}
    clock.advance(61_000)
    assert limited(store, BUSY) == {}, "its key may start, and no place is free"
    clock.advance(6_000)
    (mail,) = (one for one in queues_json(store, [BUSY]) if one["name"] == "mail")
    assert mail["starved"] and mail["none_starts"] == "its workers run other jobs"
    (mail,) = (one for one in queues_json(store, [ONE_WORKER]) if one["name"] == "mail")
    assert not mail["starved"], "it may start"


def test_while_its_rate_holds_a_queue_it_is_empty_at_that_rate_whatever_was_done_before(
    store: Store,
    submit: Callable[..., int],
    lease: Callable[..., list[Lease]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats, "pace_of", lambda *_: Pace(5, 0.5, 300.0, had_backlog=True))
    store.queues.configure({"mail": QueueRules(rate=Rate(30, 60))})
    for _ in range(11):
        submit(queue="mail")
    (first,) = lease(10)
    store.leases.finish([Finished(first, Ending.SUCCEEDED, result="null")])
    (mail,) = queues_json(store, [ONE_WORKER])
    assert mail["drain"] == {"seconds": 20.0, "with_more": []}, "more workers would not help"
    (mail,) = queues_json(store, [BUSY])
    assert mail["drain"] is not None and mail["drain"]["seconds"] > 500, "other jobs keep them busy"


def limited(store: Store, crew: Crew = ONE_WORKER) -> dict[str, Any]:
    """What the limits of queues are said to hold back, and for how long."""
    return {
        one["name"]: (its["text"], its["next_s"])
        for one in queues_json(store, [crew])
        if (its := one["limited"])
    }
