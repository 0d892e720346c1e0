"""`orpheus restart|drain|scale|stack`: asked of a supervisor, which here is rows and a thread."""

import json
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import LastExit, Order, ProcessRecord, Role, SlotState
from orpheus.shared.domain.requests import Request, RequestAction
from orpheus.shared.domain.stacks import THREADS_BELOW
from orpheus.shared.storage import Store, open_store, state_files
from orpheus.supervisor.cli import slots
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.slot_rows import slot

URL = "sqlite:///data/orpheus.db"
STACK = "Current thread 0x00007f (most recent call first):\n  File handlers.py, line 7 in slow\n"
AWAITS = "Coroutine of job 1 (t), which awaits a Future (most recent call first):\n  File a.py"


Orpheus = Callable[..., Any]


@pytest.fixture(autouse=True)
def ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")


@pytest.fixture
def supervised(store: Store) -> Store:
    """A database beside a supervisor with two workers, one of which is fatal."""
    clock = store.clock
    store.processes.register(
        ProcessRecord(
            host="host-1",
            incarnation="life-of-supervisor",
            slot="supervisor",
            pool=None,
            role=Role.SUPERVISOR,
            pid=os.getpid(),
            create_time_s=1.0,
            boot_id=clock.boot_id,
            started_at_ms=0,
            ready=True,
            beat=1,
            last_beat_mono_ms=clock.monotonic_ms(),
            job_id=None,
            jobs_done=0,
        )
    )
    store.processes.put_slots(
        [
            slot("supervisor", SlotState.READY),
            slot("api", SlotState.READY),
            slot("default-1", SlotState.READY),
            slot("default-2", SlotState.FATAL, pid=None, incarnation=None, reason="no module"),
        ]
    )
    return store


@pytest.fixture
def runs_coroutines() -> threading.Event:
    """Set it, and the process tells what they await."""
    return threading.Event()


@pytest.fixture
def taken(supervised: Store, runs_coroutines: threading.Event) -> Iterator[list[Request]]:
    """What the supervisor has taken; to a request for a stack its process answers."""
    requests: list[Request] = []
    ended, listening = threading.Event(), threading.Event()
    file = state_files(URL).stack("life-of-default-1")
    file.parent.mkdir(exist_ok=True)
    awaits = state_files(URL).awaits("life-of-default-1")
    awaits.write_text("Coroutine of job 1 (t), of an earlier answer")

    def take() -> None:
        store = open_store(URL)
        bell = store.bells.listen_supervisor()
        listening.set()
        while not ended.is_set():
            select.select([bell], [], [], 0.05)
            bell.drain()
            for request in store.supervision.take_requests("host-1"):
                requests.append(request)
                if request.target == "idle":
                    store.processes.put_slots([slot("idle-1", SlotState.STARTING, pool="idle")])
                if request.action is RequestAction.STACK and runs_coroutines.is_set():
                    new = awaits.with_suffix(".new")
                    new.write_text(f"{AWAITS}{THREADS_BELOW}{STACK}")
                    new.replace(awaits)
                elif request.action is RequestAction.STACK:
                    with file.open("a") as stacks:
                        stacks.write(STACK)
        bell.close()
        store.close()

    thread = threading.Thread(target=take)
    thread.start()
    assert listening.wait(10)
    yield requests
    ended.set()
    thread.join(10)


@pytest.mark.parametrize("action", ["restart", "drain"])
def test_a_slot_is_asked_for_and_the_request_has_been_heard(
    orpheus: Orpheus, supervised: Store, taken: list[Request], action: str
) -> None:
    answer = orpheus(action, "default-1", "--reason", "it leaks")

    last = "a job that still runs after 5 min 25 s is released, and starts again"
    assert answer == (0, f"default-1: {action} asked for; {last}\n", "")
    assert [(request.action, request.target) for request in taken] == [(action, "default-1")]
    [row] = entries_of(supervised, 9)
    assert (row.action, row.target, row.by, row.reason) == (
        action,
        "slot default-1",
        "cli:ada",
        "it leaks",
    )


def test_the_slot_is_shown_as_json(orpheus: Orpheus, taken: list[Request]) -> None:
    worker = json.loads(orpheus("restart", "default-2", "--json").out)
    assert (worker["slot"], worker["state"], worker["recent_exits"]) == ("default-2", "fatal", [])


def test_a_pool_is_scaled(orpheus: Orpheus, supervised: Store, taken: list[Request]) -> None:
    away = slot("default-3", SlotState.DRAINING, order=Order.SCALED_AWAY)
    supervised.processes.put_slots([away])
    later = "default-3 still finishes its job, and starts again after it"
    assert orpheus("scale", "default", "3").out == f"default: 3 workers asked for; {later}\n"
    told = "a job that still runs after 5 min 25 s is released, and starts again"
    told += "; default-2 has no process, and goes at once"
    assert orpheus("scale", "default", "0").out == f"default: 0 workers asked for; {told}\n"
    assert orpheus("scale", "default", "0", "--json").json == {"pool": "default", "workers": 0}
    assert [(one.action, one.target) for one in taken] == [("scale", "default")] * 3
    assert [one.workers for one in taken] == [3, 0, 0]
    assert [(row.target, row.before, row.after) for row in entries_of(supervised, 9)] == [
        ("pool default to 0", "3, 1 of them ending", "0"),
        ("pool default to 0", "3, 1 of them ending", "0"),
        ("pool default to 3", "3, 1 of them ending", "3"),
    ]


def test_a_pool_that_nobody_has_but_the_file_read_here_exits_1(
    orpheus: Orpheus, taken: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ("--set", "pools.idle.workers=0", "--set", "pools.ours.workers=0")
    assert orpheus("scale", "idle", "1", *file) == (0, "idle: 1 worker asked for\n", "")
    assert orpheus("scale", "ours", "0", *file).code == 0
    monkeypatch.setattr(slots, "_SHOWN_WITHIN_S", 0.0)
    code, out, err = orpheus("scale", "ours", "2", *file)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "ours: 2 workers asked for, but none is there" in err


def test_a_stack_is_printed_under_what_it_is_of(orpheus: Orpheus, taken: list[Request]) -> None:
    code, out, err = orpheus("stack", "default-1")
    title, *lines = out.splitlines()

    assert (code, err) == (0, "")
    assert title.startswith(f"default-1, process {os.getpid()}, at 2")
    assert lines == STACK.splitlines()
    assert json.loads(orpheus("stack", "default-1", "--json").out)["stack"] == STACK.strip()


def test_what_coroutines_await_is_printed_before_the_threads(
    orpheus: Orpheus, taken: list[Request], runs_coroutines: threading.Event
) -> None:
    runs_coroutines.set()
    _, *lines = orpheus("stack", "default-1").out.splitlines()
    assert lines == [*AWAITS.splitlines(), "", *STACK.splitlines()]


COMMANDS = [
    ("restart", "default-1"),
    ("drain", "default-1"),
    ("scale", "default", "4"),
    ("stack", "default-1"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_supervisor_it_exits_1_and_asks_for_nothing(
    orpheus: Orpheus, store: Store, command: tuple[str, ...]
) -> None:
    store.processes.put_slots([slot("default-1", SlotState.READY)])
    answer = orpheus(*command)

    assert answer == (1, "", "orpheus: no supervisor is running: start one with `orpheus`\n")
    assert store.supervision.take_requests("host-1") == []
    assert entries_of(store, 9) == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("restart", "default-9"), "no slot 'default-9'"),
        (("drain", "nix"), "no slot 'nix'"),
        (("stack", "nix"), "no slot 'nix'"),
        (("restart", "supervisor"), "restart it with what started it"),
        (("drain", "api"), "restart it"),
        (("stack", "default-2"), "default-2 is fatal"),
        (("scale", "mail", "2"), "no pool or program 'mail', but default"),
    ],
)
def test_what_cannot_be_done_exits_1_with_the_reason_in_one_line(
    orpheus: Orpheus, supervised: Store, command: tuple[str, ...], says: str
) -> None:
    code, out, err = orpheus(*command)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert says in err
    assert supervised.supervision.take_requests("host-1") == []
    assert entries_of(supervised, 9) == []


@pytest.mark.parametrize(
    "command",
    [
        ("restart",),
        ("drain", "a", "b", "--json"),
        ("restart", ""),
        ("scale", "default"),
        ("scale", "default", "many"),
        ("scale", "default", "1001"),
        ("scale", "default", "--", "-1"),
        ("stack",),
    ],
    ids=" ".join,
)
def test_a_usage_error_exits_2(orpheus: Orpheus, command: tuple[str, ...]) -> None:
    code, out, err = orpheus(*command)
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("command", "least"),
    [
        (("scale", "default", "-1"), "'N': must be 0 or more, not -1 "),
        (("scale", "--host", "a", "default", "-12", "--json"), "'N': must be 0 or more, not -12 "),
        (("show", "-1"), "'ID': must be 1 or more, not -1 "),
        (("why", "-1"), "'ID': must be 1 or more, not -1 "),
        (("run", "-1"), "'ID': must be 1 or more, not -1 "),
        (("cancel", "1", "-2"), "'[ID…]': must be 1 or more, not -2 "),
        (("config", "diff", "1", "-2"), "'[TO]': must be 1 or more, not -2 "),
        (("config", "rollback", "-2"), "'VERSION': must be 1 or more, not -2 "),
        (("scale", "default", "--host", "-1", "--htso"), "No such option '--htso'"),
        (("jobs", "--limit", "-1"), "'--limit': must be 1 or more, not -1 "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_negative_number_is_taken_for_no_option(
    orpheus: Orpheus, command: tuple[str, ...], least: str
) -> None:
    code, out, err = orpheus(*command)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert least in err


def test_a_request_that_nobody_takes_exits_1_and_says_where_to_look(
    orpheus: Orpheus, supervised: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_TAKEN_WITHIN_S", 0.1)
    code, out, err = orpheus("restart", "default-1")

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "default-1: restart asked for, but the supervisor has not taken" in err
    assert "orpheus workers" in err
    assert len(supervised.supervision.take_requests("host-1")) == 1  # it stands, and is taken later


def test_status_says_how_a_fatal_slot_is_started_again(orpheus: Orpheus, supervised: Store) -> None:
    code, out, _ = orpheus("status")
    assert code == 1
    assert "- default-2 failed (fatal): no module. (orpheus restart default-2)\n" in out


def test_status_tells_why_the_supervisor_itself_is_degraded(
    orpheus: Orpheus, supervised: Store
) -> None:
    why = "config/orpheus.toml was not taken: pools.default.worker: no such key"
    supervised.processes.put_slots([slot("supervisor", SlotState.READY, degraded=True, reason=why)])
    assert f"- supervisor is degraded: {why}.\n" in orpheus("status").out


def test_workers_are_listed_with_how_their_latest_life_ended(
    orpheus: Orpheus, supervised: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    now_ms = supervised.clock.wall_ms()
    latest = LastExit(now_ms - 65_000, "killed for memory", "SIGKILL", None, None, 3.25, True)
    before = LastExit(now_ms - 99_000, "exit code 3", None, 3, "Traceback …", 1.0)
    supervised.processes.put_slots(
        [
            slot("default-1", SlotState.READY, exits=(latest, before)),
            slot("default-2", SlotState.READY, exits=(replace(latest, jobs=(12,)),)),
            slot("default-3", SlotState.READY, exits=(replace(latest, jobs=(12, 14)),)),
        ]
    )
    out = orpheus("workers").out
    assert "1 min 5 s ago: killed for memory, after 3.2 s" in out
    assert "1 min 5 s ago: killed for memory, after 3.2 s, in job 12" in out
    assert "1 min 5 s ago: killed for memory, after 3.2 s, in 2 jobs" in out
    assert "exit code 3" not in out


def test_a_pool_or_a_program_without_a_slot_is_listed(
    orpheus: Orpheus, supervised: Store, tmp_path: Path
) -> None:
    text = '[pools.mail]\nworkers = 0\n[[programs]]\nname = "tunnel"\nargv = ["sleep", "9"]\n'
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config/orpheus.toml").write_text(text)
    rows = [" ".join(line.split()[:3]) for line in orpheus("workers").out.splitlines()]
    assert {"mail 0 workers", "tunnel 0 instances"} <= {*rows}
    assert "\ntunnel  0 instances  -" in orpheus("programs").out
    assert orpheus("programs", "--json").json == {"items": []}


@pytest.fixture
def two_hosts(supervised: Store) -> Store:
    """The same beside another host, whose supervisor has a slot of the same name."""
    [record] = [one for one in supervised.processes.all() if one.role is Role.SUPERVISOR]
    supervised.processes.register(replace(record, host="host-2", incarnation="other"))
    supervised.processes.put_slots(
        [
            slot("supervisor", SlotState.READY, host="host-2"),
            slot("default-1", SlotState.FATAL, host="host-2", reason="6 failures"),
        ]
    )
    return supervised


def test_hosts_are_a_column_only_where_there_are_several(
    orpheus: Orpheus, two_hosts: Store
) -> None:
    out = orpheus("workers").out
    assert out.split()[0] == "HOST"
    assert "host-2" in out
    two_hosts.processes.clear_slots("host-2")
    two_hosts.processes.forget("other")
    assert orpheus("workers").out.split()[0] == "SLOT"
    items = orpheus("workers", "--json").json["items"]
    assert {item["host"] for item in items} == {"host-1"}


def test_status_names_the_host_of_what_needs_a_person(orpheus: Orpheus, two_hosts: Store) -> None:
    told = orpheus("status").out
    assert "- default-1 on host-2 failed (fatal): 6 failures." in told
    assert "orpheus restart default-1 --host host-2" in told


@pytest.mark.parametrize(
    ("command", "what"), [(["restart", "default-1"], "default-1"), (["scale", "default", "2"], "")]
)
def test_a_request_must_name_one_of_several_hosts(
    orpheus: Orpheus, two_hosts: Store, command: list[str], what: str
) -> None:
    answer = orpheus(*command)
    assert answer.code == 1
    assert f"{what} is on several hosts, so name one of host-1, host-2" in answer.err
    answer = orpheus(*command, "--host", "host-3")
    assert answer.code == 1
    assert "is not on 'host-3', but on host-1, host-2" in answer.err
    assert two_hosts.supervision.take_requests("host-1") == []
    assert two_hosts.supervision.take_requests("host-2") == []


def test_a_pool_that_only_the_file_of_another_host_has_is_scaled_there(
    orpheus: Orpheus, two_hosts: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_TAKEN_WITHIN_S", 0.0)
    two_hosts.processes.put_slots([slot("gpu-1", SlotState.READY, pool="gpu", host="host-2")])
    answer = orpheus("scale", "gpu", "4", "--host", "host-2")
    assert "gpu: 4 slots asked for, but the supervisor has not taken" in answer.err
    assert [row.target for row in entries_of(two_hosts, 9)] == ["pool gpu on host-2 to 4"]


def test_only_the_supervisor_of_the_named_host_takes_the_request(
    orpheus: Orpheus, two_hosts: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.supervisor.cli.slots._TAKEN_WITHIN_S", 0.0)
    for command in (["restart", "default-1"], ["drain", "default-1"], ["scale", "default", "2"]):
        assert "has not taken" in orpheus(*command, "--host", "host-2").err
    assert two_hosts.supervision.take_requests("host-1") == []
    taken = two_hosts.supervision.take_requests("host-2")
    assert [one.action for one in taken] == ["restart", "drain", "scale"]
    targets = [row.target for row in entries_of(two_hosts, 10, None)]
    assert targets == ["pool default on host-2 to 2", *["slot default-1 on host-2"] * 2]
