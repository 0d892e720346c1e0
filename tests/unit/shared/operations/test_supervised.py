"""A supervisor runs if it beats, unless its lock shows that it is gone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.operations.reclaim import is_supervised, living_supervisors
from orpheus.shared.storage import Store, open_store
from tests.databases import make_database

RECORD = ProcessRecord(
    host="host-1",
    incarnation="i",
    slot="supervisor",
    pool=None,
    role=Role.SUPERVISOR,
    pid=1,
    create_time_s=0.0,
    boot_id="boot",
    started_at_ms=0,
    ready=True,
    beat=1,
    last_beat_mono_ms=1_800_000 - 14_000,
    job_id=None,
    jobs_done=0,
)


class Clock:
    """Half an hour after the boot."""

    boot_id = "boot"

    def wall_ms(self) -> int:
        return 1_800_000

    def monotonic_ms(self) -> int:
        return 1_800_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/orpheus.db"
    make_database(url)
    made = open_store(url, clock=Clock())
    yield made
    made.close()


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
