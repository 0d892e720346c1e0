"""What one process of a database does now and then."""

import pytest

from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import Holder, NewJob, Status
from orpheus.shared.domain.rates import KeyRules, QueueRules
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import StorageError
from orpheus.shared.operations import upkeep as upkeep_module
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.storage import Store, TypeRow
from tests.machine import PATIENCE_S
from tests.unit.shared.operations.conftest import Clock

SETTINGS = StoredSettings({}, (), JobDefaults(max_retries=3, timeout_s=60.0))


def test_it_reclaims_expired_leases(store: Store, clock: Clock) -> None:
    job_id = store.jobs.submit(NewJob("t")).job.id
    store.leases.lease(Holder("default-1", "life", 1), ("*",), 1, 500)
    upkeep = Upkeep(SETTINGS)
    upkeep.run(store)
    assert store.jobs.attempts(job_id)[0].outcome is None
    clock.now_ms += 501
    assert upkeep.run(store) > 4, "no schedule, and nothing to delete"
    assert store.jobs.attempts(job_id)[0].outcome == "lost"


def test_it_leaves_expired_leases_when_told_so(store: Store, clock: Clock) -> None:
    job_id = store.jobs.submit(NewJob("t")).job.id
    store.leases.lease(Holder("default-1", "life", 1), ("*",), 1, 500)
    clock.now_ms += 501
    Upkeep(SETTINGS).run(store, reclaims=False)
    assert store.jobs.get(job_id).status is Status.IN_PROGRESS


def test_after_an_error_it_is_a_second_until_it_deletes_again(store: Store) -> None:
    upkeep = Upkeep(SETTINGS)
    calls: list[int] = []

    def fail() -> bool:
        calls.append(1)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        upkeep.run(store, fail)
    upkeep.run(store, fail)
    assert calls == [1]


def test_it_deletes_even_while_schedules_cannot_fire(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> float:
        raise StorageError("the disk is full")

    looked: list[bool] = []

    def stop() -> bool:
        looked.append(True)
        return False

    monkeypatch.setattr(upkeep_module, "fire_schedules", fail)
    with pytest.raises(StorageError, match="the disk is full"):
        Upkeep(SETTINGS).run(store, stop)
    assert looked == [True], "it began to delete"


def test_schedules_fire_even_if_rules_of_alerts_cannot_be_evaluated(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> float:
        raise ValueError("a state that no version has written")

    monkeypatch.setattr(upkeep_module, "fire_alerts", fail)
    store.types.replace([TypeRow("t", "{}", None, None, None, "")])
    store.schedules.configure([ScheduleDefinition("s", "t", every_s=60)])
    clock.now_ms += 60_000
    Upkeep(SETTINGS).run(store)
    assert store.schedules.get("s").last_job_id is not None


def test_it_continues_cascades_and_says_that_there_is_more(store: Store) -> None:
    store.dependencies.most_at_once = 2
    head = NewJob("t", ref="head")
    ids = store.jobs.submit_many([head] + [NewJob("t", depends_on=("head",))] * 9)
    store.jobs.cancel(ids[0])
    upkeep, statuses = Upkeep(SETTINGS), store.stats.counts
    assert statuses()[Status.CANCELLED] == 3
    assert upkeep.run(store, lambda: False) == 0, "somebody else wants the thread"
    assert statuses()[Status.CANCELLED] == 5
    while upkeep.run(store) == 0:
        pass
    assert statuses()[Status.CANCELLED] == 10


def test_it_looks_at_all_keys_whose_limits_have_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "_BURST_S", PATIENCE_S)
    store.keys.keys_at_once = 1
    store.queues.configure({"default": QueueRules(per_key=KeyRules(1))})
    keys = [f"key-{n % 5}" for n in range(10)]
    store.jobs.submit_many([NewJob("t", concurrency_key=key) for key in keys])
    store.queues.configure({})
    Upkeep(SETTINGS).run(store)
    assert len(store.leases.lease(Holder("default-1", "life", 1), ("*",), 99, 500)) == 10


def test_the_next_turn_comes_when_the_first_duty_is_due(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep_module, "fire_alerts", lambda *_: 3.0)
    monkeypatch.setattr(upkeep_module, "fire_schedules", lambda *_: 2.0)
    assert Upkeep(SETTINGS).run(store) == 2.0
