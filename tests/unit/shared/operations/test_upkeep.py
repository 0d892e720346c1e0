"""What one process of a database does now and then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.errors import StorageError
from orpheus.shared.operations import upkeep as upkeep_module
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.storage import Store, open_store

SETTINGS = StoredSettings({}, (), JobDefaults(max_retries=3, timeout_s=60.0))


class Clock:
    """Moved by hand."""

    boot_id = "boot"
    now_ms = 0

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/data/orpheus.db", create=True, clock=clock)
    yield made
    made.close()


def test_it_reclaims_expired_leases(store: Store, clock: Clock) -> None:
    job_id = store.jobs.submit(NewJob("t")).job.id
    store.leases.lease(Holder("default-1", "life", 1), ("*",), 1, 500)
    upkeep = Upkeep(SETTINGS)
    upkeep.run(store)
    assert store.jobs.attempts(job_id)[0].outcome is None
    clock.now_ms = 501
    assert upkeep.run(store) == float("inf"), "no schedule"
    assert store.jobs.attempts(job_id)[0].outcome == "lost"


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
