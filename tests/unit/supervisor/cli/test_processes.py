"""`orpheus workers`."""

from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.storage import Store

Orpheus = Callable[..., Any]


def test_workers_of_a_supervisor_that_is_gone_are_not_shown(orpheus: Orpheus, store: Store) -> None:
    record = SlotRecord(
        host="host-1",
        slot="default-1",
        pool="default",
        role=Role.WORKER,
        state=SlotState.READY,
        degraded=False,
        reason="",
        pid=1,
        incarnation="x",
        cpu_percent=None,
        rss_bytes=None,
        started_at_ms=0,
        restarts=0,
        exits=(),
    )
    store.processes.put_slots([record])
    assert orpheus("workers", "--json").json == {"items": []}
    assert orpheus("workers").code == 0
