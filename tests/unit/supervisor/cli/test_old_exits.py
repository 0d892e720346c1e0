"""How a process ended is told in the row of its slot while it matters, and no longer."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
TOLD = "11 min 40 s ago: exit code 4, after 1 s"


@pytest.mark.parametrize("state", [SlotState.READY, SlotState.FATAL])
def test_an_exit_of_long_ago_stands_only_beside_a_slot_that_is_not_well(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch, state: SlotState
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    exit = LastExit(store.clock.wall_ms() - 700_000, "exit code 4", None, 4, None, 1.0, failed=True)
    store.processes.put_slots([slot("default-1", state, exits=(exit,))])
    assert (TOLD in orpheus("workers").out) == (state is SlotState.FATAL)
    assert f"last exit  {TOLD}" in orpheus("workers", "default-1").out
