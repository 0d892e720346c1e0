"""What is said of a slot that is not there: a typing error, scaled away, or nothing runs."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.operations.supervisor_requests import ask_for_workers
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
COMMANDS = ("workers", "restart", "drain", "stack")


@pytest.fixture
def supervised(store: Store) -> Store:
    """A database with a supervisor, its API, two workers and a program."""
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    names = ("supervisor", "api", "default-1", "default-2")
    tunnel = slot("tunnel-1", SlotState.READY, pool="tunnel", role=Role.PROGRAM)
    store.processes.put_slots([*(slot(name, SlotState.READY) for name in names), tunnel])
    return store


@pytest.mark.usefixtures("supervised")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("defalt-1", "; did you mean 'default-1'?"),
        ("default-3", ": default has default-1 and default-2"),
        ("default", ": default has default-1 and default-2"),
        ("qqq", ": there are supervisor, api, default-1 and 2 more"),
    ],
)
def test_a_name_that_no_slot_has_is_told_with_those_that_are_there(
    orpheus: Orpheus, command: str, name: str, says: str
) -> None:
    said = f"orpheus: there is no slot {name!r}{says}\n"
    assert orpheus(command, name) == (1, "", said)


@pytest.mark.usefixtures("supervised")
def test_a_program_that_is_not_there_is_told_with_a_near_one(orpheus: Orpheus) -> None:
    said = "orpheus: there is no program 'tunel-1'; did you mean 'tunnel-1'?\n"
    assert orpheus("logs", "tunel-1") == (1, "", said)


@pytest.mark.usefixtures("supervised")
def test_the_stack_of_a_program_is_refused_with_where_its_output_is(orpheus: Orpheus) -> None:
    code, _, err = orpheus("stack", "tunnel-1")
    assert code == 1 and "`orpheus logs tunnel-1`" in err


@pytest.mark.usefixtures("supervised")
def test_no_worker_is_told_where_only_a_program_will_do(orpheus: Orpheus) -> None:
    said = "orpheus: there is no program 'default-3': there is tunnel-1\n"
    assert orpheus("logs", "default-3") == (1, "", said)


def test_no_pool_that_is_scaled_to_none_is_told_where_only_a_program_will_do(
    orpheus: Orpheus, supervised: Store
) -> None:
    ask_for_workers(supervised, Actor("cli:eve", None), "default", 0, (), (), None)
    supervised.processes.remove_slots("host-1", ["default-1", "default-2"])
    said = "orpheus: there is no program 'default-1': there is tunnel-1\n"
    assert orpheus("logs", "default-1") == (1, "", said)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("pool", "kind"), [("tunnel", "program"), ("default", "pool")])
def test_a_slot_of_what_is_scaled_to_none_says_who_did_so(
    orpheus: Orpheus, supervised: Store, command: str, pool: str, kind: str
) -> None:
    ask_for_workers(supervised, Actor("cli:eve", "a move"), pool, 0, (), (), None)
    gone = [one.slot for one in supervised.processes.slots() if one.pool == pool]
    supervised.processes.remove_slots("host-1", gone)
    said = f"there is no slot '{pool}-1': the {kind} {pool} is scaled to 0 by cli:eve: a move"
    said = f"orpheus: {said} (`orpheus scale {pool} N` starts it)\n"
    assert orpheus(command, f"{pool}-1") == (1, "", said)
    assert orpheus(command, pool) == (1, "", said.replace(f"'{pool}-1'", f"'{pool}'"))


@pytest.mark.parametrize("command", COMMANDS)
def test_while_nothing_runs_no_name_is_called_wrong(
    orpheus: Orpheus, store: Store, command: str
) -> None:
    store.processes.put_slots([slot("default-1", SlotState.READY)])
    said = "orpheus: no supervisor is running: start one with `orpheus`\n"
    assert orpheus(command, "default-1") == (1, "", said)
