"""`orpheus scale` and `drain` name the queues that they leave to nobody."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import Order, Role, SlotRecord, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs.processes import Processes
from orpheus.supervisor.cli import slots
from tests.unit.supervisor.cli.slot_rows import slot

FILE = ("--set", 'pools.default.queues=["letters"]')
NOBODY = "; then nobody runs the jobs of queue letters\n"


@pytest.fixture(autouse=True)
def supervised(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By supervisors of two hosts, which take no request."""
    monkeypatch.setattr(slots, "_wait_until", lambda *_: None)
    for host in ("host-1", "host-2"):
        boss = own_record(store.clock, host, Role.SUPERVISOR, "supervisor", host, ready=True)
        store.processes.register(boss)


def test_a_scale_and_a_drain_that_leave_only_drained_workers_name_the_queues(
    orpheus: Callable[..., Any], store: Store
) -> None:
    drained = slot("default-1", SlotState.DRAINING, order=Order.DRAINED)
    second = slot("default-2", SlotState.FATAL, pid=None, incarnation=None)
    store.processes.put_slots([drained, second])
    assert orpheus("scale", "default", "1", *FILE).out.endswith(NOBODY)
    assert orpheus("drain", "default-2", *FILE).out == f"default-2: drain asked for{NOBODY}"
    assert "nobody" not in orpheus("restart", "default-2", *FILE).out
    assert "nobody" not in orpheus("scale", "default", "3", *FILE).out


def test_the_workers_of_another_host_stay_though_their_slots_have_the_same_names(
    orpheus: Callable[..., Any], store: Store
) -> None:
    here = slot("default-1", SlotState.READY)
    store.processes.put_slots([here])
    store.processes.put_slots([replace(here, host="host-2", incarnation="theirs")])
    answer = orpheus("scale", "default", "0", "--host", "host-1", *FILE)
    assert "0 workers asked for" in answer.out
    assert "nobody" not in answer.out


@pytest.mark.parametrize("command", [("scale", "default", "0"), ("drain", "default-1")])
def test_a_slot_that_is_measured_meanwhile_goes_nevertheless(
    orpheus: Callable[..., Any],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    read, bytes_now = Processes.slots, itertools.count()

    def measured(self: Processes) -> list[SlotRecord]:
        return [replace(one, rss_bytes=next(bytes_now)) for one in read(self)]

    store.processes.put_slots([slot("default-1", SlotState.READY)])
    monkeypatch.setattr(Processes, "slots", measured)
    assert orpheus(*command, *FILE).out.endswith(NOBODY)
