"""A supervisor runs if it beats, unless its lock shows that it is gone."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import Role
from orpheus.shared.operations.reclaim import is_supervised, living_supervisors
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from tests.unit.shared.operations.conftest import Clock

BOSS = own_record(Clock(), "host-1", Role.SUPERVISOR, "supervisor", "i", ready=True)
RECORD = replace(BOSS, last_beat_mono_ms=1_800_000 - 14_000)


@pytest.mark.parametrize(
    ("changes", "supervised"),
    [
        ({}, True),
        ({"role": Role.WORKER}, False),
        ({"boot_id": "another"}, False),
        ({"last_beat_mono_ms": 1_800_000 - 15_000}, False),
    ],
)
def test_a_supervisor_is_at_work_if_it_beats(
    store: Store, changes: dict[str, Any], supervised: bool
) -> None:
    store.processes.register(replace(RECORD, **changes))
    assert is_supervised(store, beat_timeout_s=15) is supervised


def test_one_whose_lock_is_free_is_gone_however_lately_it_beat(store: Store) -> None:
    store.processes.register(RECORD)
    store.processes.register(replace(RECORD, incarnation="j"))
    store.state.lock.write_text("i")
    assert [one.incarnation for one in living_supervisors(store, beat_timeout_s=15)] == ["j"]
