"""`orpheus submit` warns of what lets the new job wait until an operator does something."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
WORKER = Holder("default-1", "incarnation", 7)


def test_a_type_that_is_quarantined_is_warned_of(orpheus: Orpheus, store: Store) -> None:
    store.quarantines.after = 1
    store.jobs.submit(NewJob("count"))
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.free(WORKER.incarnation, CellState(lease.token, running=True))
    warning = "warning: type count is quarantined: its jobs killed 1 worker"
    assert warning in orpheus("submit", "count", "n=1").err
    assert "quarantined" not in orpheus("submit", "words").err
    store.quarantines.release("count")
    assert "quarantined" not in orpheus("submit", "count", "n=1").err


def test_a_queue_whose_pools_have_no_workers_is_warned_of(orpheus: Orpheus, store: Store) -> None:
    text = '[pools.default]\nqueues = ["mail"]\n[pools.none]\nqueues = ["night"]\nworkers = 0\n'
    Path("orpheus.toml").write_text(text, encoding="utf-8")
    given = ("--config", "orpheus.toml", "submit", "words", "--queue")
    assert "has no workers" not in orpheus(*given, "night").err  # nothing runs, and that is told
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    boss_slot = slot("supervisor", SlotState.READY, incarnation="boss")
    store.processes.put_slots([boss_slot, slot("default-1", SlotState.READY)])
    start = "see `orpheus --config orpheus.toml scale none 1`"
    warning = f"warning: no worker of pool none is ready: it has no workers; {start}\n"
    assert warning in orpheus(*given, "night").err
    assert "has no workers" not in orpheus(*given, "mail").err
