"""`orpheus restart`, `drain`, `scale`, `stack`, `stop`, `reload`: asked of rows and a thread."""

import os
import select
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.requests import Request, RequestAction, reload_name
from orpheus.shared.storage import Store, open_store, state_files
from tests.audit_log import entries_of
from tests.slot_rows import slot
from tests.unit.supervisor.cli.conftest import URL

Orpheus = Callable[..., Any]
STACK = "Current thread 0x00007f (most recent call first):\n  File handlers.py, line 7 in slow\n"


@pytest.fixture
def taken(supervised: Store) -> Iterator[list[Request]]:
    """What the supervisor has taken; it answers requests for a stack, a reload and a stop."""
    requests: list[Request] = []
    ended, listening = threading.Event(), threading.Event()
    file = state_files(URL).stack("life-of-default-1")
    file.parent.mkdir(exist_ok=True)
    file.write_text("Thread 0x1 (most recent call first): of an earlier answer\n")

    def take() -> None:
        store = open_store(URL)
        bell = store.bells.listen_supervisor()
        listening.set()
        while not ended.is_set():
            select.select([bell], [], [], 0.05)
            bell.drain()
            for request in store.supervision.take_requests("host-1"):
                requests.append(request)
                if request.action is RequestAction.STACK:
                    with file.open("a") as stacks:
                        stacks.write(STACK)
                elif request.action is RequestAction.RELOAD:
                    why = reload_name(request.id)
                    changed = {"changed": ["api.port"], "restarts": ["api"], "why": why}
                    store.events.record(Kind.CONFIG_RELOADED, changed)
                elif request.action is RequestAction.STOP:
                    store.processes.forget("boss")
        bell.close()
        store.close()

    thread = threading.Thread(target=take)
    thread.start()
    assert listening.wait(10)
    yield requests
    ended.set()
    thread.join(10)


def test_slots_are_asked_for_and_the_requests_have_been_heard(
    orpheus: Orpheus, supervised: Store, taken: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    answer = orpheus("restart", "default-1", "default-2", "default-1", "--reason", "it leaks")
    assert answer == (0, "default-1: restart requested\ndefault-2: restart requested\n", "")
    items = orpheus("drain", "default-2", "--json").json["items"]
    assert [(item["slot"], item["state"]) for item in items] == [("default-2", "fatal")]
    assert orpheus("scale", "default", "3") == (0, "default: 3 requested\n", "")
    assert orpheus("scale", "default", "0", "--json").json == {"pool": "default", "workers": 0}
    assert [(request.action, request.target, request.workers) for request in taken] == [
        ("restart", "default-1", None),
        ("restart", "default-2", None),
        ("drain", "default-2", None),
        ("scale", "default", 3),
        ("scale", "default", 0),
    ]
    row = entries_of(supervised, 9)[-1]
    told = (row.action, row.target, row.by, row.reason)
    assert told == ("restart", "slot default-1", "cli:ada", "it leaks")


@pytest.mark.usefixtures("taken")
def test_a_stack_is_printed_under_what_it_is_of(orpheus: Orpheus) -> None:
    code, out, err = orpheus("stack", "default-1")
    title, *lines = out.splitlines()
    assert (code, err) == (0, "")
    assert title.startswith(f"default-1, process {os.getpid()}, at 2")
    assert lines == STACK.splitlines()
    assert STACK.strip() in orpheus("stack", "default-1", "--json").json["stack"]


@pytest.mark.usefixtures("taken")
def test_a_reload_says_what_changed_and_a_stop_waits_for_the_end(orpheus: Orpheus) -> None:
    told = "reloaded: api.port changed; restarting in turn: api\n"
    assert orpheus("reload") == (0, told, "")
    assert orpheus("stop") == (0, "stopped\n", "")
    assert orpheus("stop").code == 1


COMMANDS = ["restart default-1", "drain default-1", "scale default 4", "stack default-1"]


@pytest.mark.parametrize("command", [*COMMANDS, "reload", "stop"])
def test_without_a_supervisor_it_exits_1_and_asks_for_nothing(
    orpheus: Orpheus, store: Store, command: str
) -> None:
    store.processes.put_slots([slot("default-1", SlotState.READY)])
    told = "orpheus: no supervisor is running: start one with `orpheus`\n"
    assert orpheus(*command.split()) == (1, "", told)
    assert store.supervision.take_requests("host-1") == []
    assert entries_of(store, 9) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("restart default-1 default-9", "no slot 'default-9'"),
        ("drain nix", "no slot 'nix'"),
        ("stack nix", "no slot 'nix'"),
        ("workers nix", "no slot 'nix'"),
        ("restart supervisor", "restart it with what started it"),
        ("drain api", "restart it"),
        ("stack default-2", "default-2 is fatal"),
        ("scale mail 2", "no pool or program 'mail', but default"),
    ],
)
def test_what_cannot_be_done_exits_1_with_the_reason_in_one_line(
    orpheus: Orpheus, supervised: Store, command: str, says: str
) -> None:
    code, out, err = orpheus(*command.split())
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert says in err
    assert supervised.supervision.take_requests("host-1") == []
    assert entries_of(supervised, 9) == []


@pytest.fixture
def two_hosts(supervised: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The same beside another host, whose supervisor has a slot of the same name; none answers."""
    monkeypatch.setattr("orpheus.supervisor.cli.workers._TAKEN_WITHIN_S", 0.1)
    [record] = [one for one in supervised.processes.all() if one.role is Role.SUPERVISOR]
    supervised.processes.register(replace(record, host="host-2", incarnation="other"))
    supervised.processes.put_slots(
        [
            slot("supervisor", SlotState.READY, host="host-2"),
            slot("default-1", SlotState.FATAL, host="host-2", reason="6 failures"),
        ]
    )
    return supervised


def test_a_request_names_one_of_several_hosts_which_alone_takes_it(
    orpheus: Orpheus, two_hosts: Store
) -> None:
    for command in ("restart default-1", "scale default 2"):
        answer = orpheus(*command.split())
        assert answer.code == 1
        assert "is on several hosts, so name one of host-1, host-2" in answer.err
        answer = orpheus(*command.split(), "--host", "host-3")
        assert "is not on 'host-3', but on host-1, host-2" in answer.err
    for command in ("restart default-1", "drain default-1", "scale default 2"):
        code, out, err = orpheus(*command.split(), "--host", "host-2")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "requested, but the supervisor did not take the request within" in err
    assert two_hosts.supervision.take_requests("host-1") == []
    taken = two_hosts.supervision.take_requests("host-2")
    assert [request.action for request in taken] == ["restart", "drain", "scale"]
    targets = [row.target for row in entries_of(two_hosts, 10, None)]
    assert targets == ["pool default on host-2 to 2", *["slot default-1 on host-2"] * 2]
