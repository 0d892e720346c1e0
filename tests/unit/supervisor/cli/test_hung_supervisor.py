"""What asks a supervisor for something says so if it hangs: another one could not be started."""

import os
import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]


def test_a_supervisor_that_hangs_is_told_with_its_process(orpheus: Orpheus, store: Store) -> None:
    store.processes.put_slots([slot("default-1", SlotState.READY)])
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    long_ago_ms = store.clock.monotonic_ms() - 20_000
    store.processes.register(replace(boss, last_beat_mono_ms=long_ago_ms))
    code, _, told = orpheus("scale", "default", "4")
    boss_is = rf"the supervisor \(process {os.getpid()}\)"
    silent = rf"{boss_is} has sent no heartbeat for 2\d(\.\d)? s: it hangs"
    assert code == 1
    assert re.search(silent, told), told
