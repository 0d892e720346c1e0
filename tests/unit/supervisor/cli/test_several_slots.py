"""`orpheus restart` and `drain` of several slots, as of workers that failed for one reason."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import slots
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]


@pytest.fixture(autouse=True)
def supervised(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a supervisor that takes no request."""
    monkeypatch.setattr(slots, "_wait_until", lambda *_: None)
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    store.processes.put_slots([slot(f"default-{n}", SlotState.FATAL, pid=None) for n in (1, 2, 3)])


@pytest.mark.parametrize("action", ["restart", "drain"])
def test_each_slot_is_asked_for_with_the_reason(
    orpheus: Orpheus, store: Store, action: str
) -> None:
    answer = orpheus(action, "default-1", "default-3", "--reason", "mended")
    assert answer.code == 0
    told = [line.partition(" asked for")[0] for line in answer.out.splitlines()]
    assert told == [f"default-1: {action}", f"default-3: {action}"]
    rows = entries_of(store, 9)
    assert {(one.target, one.reason) for one in rows} == {
        ("slot default-1", "mended"),
        ("slot default-3", "mended"),
    }


def test_if_one_of_them_cannot_be_asked_for_none_is(orpheus: Orpheus, store: Store) -> None:
    for wrong, says in (("nobody", "there is no slot 'nobody'"), ("api", "the API has no jobs")):
        store.processes.put_slots([slot("api", SlotState.READY)])
        answer = orpheus("drain", "default-1", wrong, "default-3")
        assert (answer.code, answer.out) == (1, "")
        assert says in answer.err
    assert entries_of(store, 9) == []


def test_if_the_host_of_one_of_them_is_stopping_none_is_asked_for(
    orpheus: Orpheus, store: Store
) -> None:
    boss = slot("supervisor", SlotState.STOPPING)
    there = [slot("mail-1", SlotState.READY, pool="mail"), boss]
    store.processes.put_slots([replace(one, host="eve") for one in there])
    answer = orpheus("drain", "default-1", "mail-1")
    assert (answer.code, answer.out) == (1, "") and "is stopping" in answer.err
    assert entries_of(store, 9) == []


def test_one_that_is_named_twice_is_asked_for_once(orpheus: Orpheus, store: Store) -> None:
    answer = orpheus("restart", "default-1", "default-1")
    assert (answer.code, answer.out) == (0, "default-1: restart asked for\n")
    assert len(entries_of(store, 9)) == 1


def test_the_queues_that_all_of_them_leave_are_told_with_the_last_of_a_pool(
    orpheus: Orpheus, store: Store
) -> None:
    file = ("--set", 'pools.default.queues=["letters"]', "--set", 'pools.mail.queues=["mails"]')
    mail = slot("mail-1", SlotState.READY, pid=None, pool="mail")
    tunnel = slot("tunnel-1", SlotState.READY, role=Role.PROGRAM, pool="tunnel")
    store.processes.put_slots([mail, tunnel])
    those = ("default-3", "mail-1", "default-1", "default-2", "tunnel-1")
    assert orpheus("drain", *those, *file).out.splitlines() == [
        "default-3: drain asked for",
        "mail-1: drain asked for; then nobody runs the jobs of queue mails",
        "default-1: drain asked for",
        "default-2: drain asked for; then nobody runs the jobs of queue letters",
        "tunnel-1: drain asked for",
    ]
    assert "nobody" not in orpheus("drain", "default-1", "default-2", *file).out
    assert "nobody" not in orpheus("restart", *those, *file).out


def test_json_is_one_document_so_it_takes_one_slot(orpheus: Orpheus, store: Store) -> None:
    answer = orpheus("restart", "default-1", "default-2", "--json")
    assert (answer.code, answer.out) == (2, "") and "with --json, give one SLOT" in answer.err
    assert orpheus("restart", "default-1", "--json").json["slot"] == "default-1"
    assert len(entries_of(store, 9)) == 1
