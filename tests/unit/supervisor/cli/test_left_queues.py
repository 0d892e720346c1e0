"""`orpheus scale` and `drain` name the queues that they leave to nobody."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import slots
from tests.unit.supervisor.cli.slot_rows import slot


def test_a_scale_and_a_drain_that_leave_only_drained_workers_name_the_queues(
    orpheus: Callable[..., Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_wait_until", lambda *_: None)  # no supervisor takes a request here
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    drained = slot("default-1", SlotState.DRAINING, reason="drained; it ends after its job")
    second = slot("default-2", SlotState.FATAL, pid=None, incarnation=None)
    store.processes.put_slots([drained, second])
    file = ("--set", 'pools.default.queues=["letters"]')
    nobody = "; then nobody runs the jobs of queue letters\n"
    assert orpheus("scale", "default", "1", *file).out.endswith(nobody)
    assert orpheus("drain", "default-2", *file).out == f"default-2: drain asked for{nobody}"
    assert "nobody" not in orpheus("restart", "default-2", *file).out
    assert "nobody" not in orpheus("scale", "default", "3", *file).out
