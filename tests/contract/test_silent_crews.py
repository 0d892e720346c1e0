"""A worker that is silent leases nothing: its queues say so before it is taken for dead."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.shared.views.crews import crews_of
from orpheus.shared.views.queues import queue_json
from orpheus.shared.views.why import why_json
from orpheus.shared.views.workers import workers_json
from tests.contract.conftest import FakeClock

POOLS = {"default": ["*"]}


@pytest.mark.parametrize(
    ("silent_ms", "unready"), [(7_000, None), (8_000, "default-1 has sent no heartbeat for 8 s")]
)
def test_a_worker_that_is_silent_for_half_the_beat_timeout_is_not_ready(
    store: Store, clock: Any, silent_ms: int, unready: str | None
) -> None:
    boss = own_record(clock, "ada", Role.SUPERVISOR, "supervisor", "life-1", ready=True)
    worker = own_record(clock, "ada", Role.WORKER, "default-1", "life-2", ready=True)
    store.processes.register(replace(worker, pool="default"))
    slot = SlotRecord(
        "ada", "default-1", "default", Role.WORKER, SlotState.READY, False, "", 7, "life-2",
        None, None, 1, 0, (),
    )  # fmt: skip
    store.processes.put_slots([slot])
    job = store.jobs.submit(NewJob("add", queue="mail")).job.id
    clock.advance(silent_ms)
    store.processes.register(replace(boss, last_beat_mono_ms=clock.monotonic_ms()))
    workers = workers_json(store, supervised_on=None, beat_timeout_s=15.0)
    (crew,) = crews_of(store, POOLS, workers)
    assert [one["silent"] for one in workers] == [unready is not None, False]
    assert [len(crew.ready), len(crew.others)] == ([0, 1] if unready else [1, 0])
    mail = queue_json(store, [crew], "mail")
    assert mail["none_starts"] == ("no worker is ready" if unready else None)
    assert mail["unready"] == unready
    told = [one["text"] for one in why_json(store, job, workers, POOLS, 15.0)["reasons"]]
    assert told == ([f"no worker of pool default is ready: {unready}"] if unready else [])


def test_on_several_hosts_a_worker_is_named_with_its_host(store: Store, clock: FakeClock) -> None:
    slots = []
    for host, state in (("ada", SlotState.READY), ("eve", SlotState.FATAL)):
        boss = own_record(clock, host, Role.SUPERVISOR, "supervisor", f"boss-{host}", ready=True)
        worker = own_record(clock, host, Role.WORKER, "default-1", f"life-{host}", ready=True)
        store.processes.register(boss)
        store.processes.register(replace(worker, pool="default"))
        slots.append(
            SlotRecord(
                host, "default-1", "default", Role.WORKER, state, False, "", 7, f"life-{host}",
                None, None, 1, 0, (),
            )
        )  # fmt: skip
    store.processes.put_slots(slots)
    workers = workers_json(store, supervised_on=None, beat_timeout_s=15.0)
    (crew,) = crews_of(store, POOLS, workers)
    assert [one.name for one in crew.ready] == ["default-1 on ada"]
    assert crew.others == ["default-1 on eve is fatal"]
