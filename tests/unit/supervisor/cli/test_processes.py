"""`orpheus workers`."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.processes import LastExit, Order, Role, SlotRecord, SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.operations.supervisor_requests import ask_for_slot, ask_for_workers
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store
from orpheus.supervisor.loop.slot_records import slot_record
from orpheus.supervisor.policy.fleet import retire
from orpheus.supervisor.policy.slot import Desired, Slot
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]


WORKER = SlotRecord(
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


def test_who_drained_a_slot_is_told(orpheus: Orpheus, store: Store) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    tunnel = replace(WORKER, slot="tunnel-1", pool="tunnel", role=Role.PROGRAM)
    drained: dict[str, Any] = {
        "state": SlotState.DOWN,
        "reason": "exit code 255",
        "order": Order.DRAINED,
        "pid": None,
    }
    store.processes.put_slots([replace(WORKER, **drained), replace(tunnel, **drained)])
    for slot in ("default-1", "tunnel-1"):
        eve = Actor("cli:eve", "gateway moved")
        ask_for_slot(store, eve, RequestAction.DRAIN, slot, None)
    told = re.compile(rf"drained by cli:eve: gateway moved \({TIME}\)$", re.MULTILINE)
    assert len(told.findall(orpheus("workers").out)) == 2
    assert len(told.findall(orpheus("programs").out)) == 1


def test_who_scaled_a_pool_is_told_with_its_number_while_its_workers_finish(
    orpheus: Orpheus, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir(exist_ok=True)
    (tmp_path / "config/orpheus.toml").write_text("[pools.default]\n[pools.wide]\n")
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    second = replace(WORKER, slot="default-2")
    wide = replace(WORKER, slot="wide-1", pool="wide")
    store.processes.put_slots([replace(WORKER, slot="supervisor", role=Role.SUPERVISOR, pool=None)])
    store.processes.put_slots([WORKER, second, wide])
    for pool, workers, why in (("default", 1, "too many"), ("wide", 0, "cost")):
        ask_for_workers(store, Actor("cli:eve", why), pool, workers, (), (), None)
    away: dict[str, Any] = {
        "state": SlotState.DRAINING,
        "order": Order.SCALED_AWAY,
    }
    store.processes.put_slots([WORKER, replace(second, **away), replace(wide, **away)])
    out = orpheus("workers").out
    for row in (
        rf"default-2 +draining .* scaled away by cli:eve: too many \({TIME}\)",
        rf"wide-1 +draining .* scaled away by cli:eve: cost \({TIME}\)",
        rf"default +1 worker .* scaled by cli:eve: too many \({TIME}\)",
        rf"wide +0 workers .* scaled by cli:eve: cost \({TIME}\)",
    ):
        assert re.search(rf"^{row}$", out, re.MULTILINE)
    assert len(re.findall("scaled away by cli:eve", orpheus("status").out)) == 2
    store.processes.put_slots([WORKER])
    assert re.search(r"wide +0 workers .* scaled by cli:eve: cost", orpheus("workers").out)


def test_the_status_tells_of_pools_and_programs_that_an_operator_scaled_to_0(
    orpheus: Orpheus, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir(exist_ok=True)
    programs = "".join(
        f'[[programs]]\nname = "{name}"\nargv = ["sleep", "9"]\n' for name in ("tunnel", "proxy")
    )
    pools = "[pools.default]\n[pools.wide]\n[pools.spare]\nworkers = 0\n"
    (tmp_path / "config/orpheus.toml").write_text(pools + programs)
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    roles = {"wide": Role.WORKER, "tunnel": Role.PROGRAM, "proxy": Role.PROGRAM}
    slots = [replace(WORKER, slot=f"{one}-1", pool=one, role=its) for one, its in roles.items()]
    store.processes.put_slots([WORKER, *slots])
    before = orpheus("status")
    assert "scaled" not in before.out
    for name, wanted in (("wide", 0), ("tunnel", 0), ("proxy", 2)):
        ask_for_workers(store, Actor("cli:eve", "cost"), name, wanted, (), (), None)
    store.processes.remove_slots("host-1", ["wide-1", "tunnel-1"])
    store.processes.put_slots([replace(slots[2], slot="proxy-2")])
    after = orpheus("status")
    for row in ("wide +0 workers", "tunnel +0 instances"):
        assert re.search(rf"^{row} .* scaled by cli:eve: cost \({TIME}\)$", after.out, re.MULTILINE)
    assert len(re.findall("scaled by", after.out)) == 2, "neither the spare pool nor the proxies"
    assert after.code == before.code, "it is as the operator wants it"
    told = orpheus("status", "--json").json["scaled"]
    assert [(one["kind"], one["name"], one["wanted"]) for one in told] == [
        ("pool", "wide", 0),
        ("program", "tunnel", 0),
    ]


def test_a_failure_of_the_last_minutes_is_told_though_a_planned_end_came_after_it(
    orpheus: Orpheus, store: Store
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    now_ms = store.clock.wall_ms()
    planned = LastExit(now_ms - 1_000, "replaced: reload", None, 0, None, 9.0)
    failed = LastExit(now_ms - 65_000, "killed by SIGKILL", "SIGKILL", None, None, 7.0, failed=True)
    store.processes.put_slots([replace(WORKER, exits=(planned, failed))])
    assert "killed by SIGKILL at " in orpheus("workers").out
    store.processes.put_slots(
        [replace(WORKER, exits=(planned, replace(failed, at_ms=now_ms - 601_000)))]
    )
    assert "replaced: reload at " in orpheus("workers").out


@pytest.mark.parametrize(
    ("state", "reason", "is_degraded", "told"),
    [
        (SlotState.KILLING, "not drained within 30 s", False, "not drained within 30 s; "),
        (SlotState.STUCK, "a; b", False, "a; b; "),
        (SlotState.DRAINING, "its log is full", True, "degraded: its log is full; "),
        (SlotState.DRAINING, "down until it or Orpheus is restarted", False, ""),
        (SlotState.STOPPING, "", False, ""),
    ],
)
def test_what_is_wrong_with_a_drained_slot_is_told_before_who_drained_it(
    orpheus: Orpheus, store: Store, state: SlotState, reason: str, is_degraded: bool, told: str
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    drained = replace(WORKER, state=state, order=Order.DRAINED, reason=reason)
    store.processes.put_slots([replace(drained, degraded=is_degraded)])
    ask_for_slot(store, Actor("cli:eve"), RequestAction.DRAIN, "default-1", None)
    assert re.search(rf"  {told}drained by cli:eve {TIME}$", orpheus("workers").out, re.MULTILINE)


def test_of_a_worker_that_is_scaled_away_only_what_is_wrong_is_told_before_who_did_it(
    orpheus: Orpheus, store: Store
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    draining = Slot("default-2", "default", Role.WORKER, state=SlotState.DRAINING)
    away = replace(retire(draining, Desired.DRAINED), degraded="its log is full")
    store.processes.put_slots([WORKER, slot_record("host-1", away, None, None)])
    ask_for_workers(store, Actor("cli:eve"), "default", 1, (), (), None)
    told = f"  degraded: its log is full; scaled away by cli:eve {TIME}$"
    assert re.search(told, orpheus("workers").out, re.MULTILINE)


def test_a_narrow_terminal_shows_that_a_process_is_silent_though_it_is_called_ready(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    silent_ms = store.clock.monotonic_ms() - 11_000
    stopped = replace(boss, role=Role.WORKER, slot="default-1", pool="default", incarnation="x")
    store.processes.register(replace(stopped, last_beat_mono_ms=silent_ms))
    store.processes.put_slots([WORKER])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert re.search(r"default-1 .* no heartbeat for 11(\.\d)? s", orpheus("workers").out)


REASON = "exit code 3 (6 failures within 180 s), killed by nobody, out of its own will"


@pytest.fixture
def crashing(orpheus: Orpheus, store: Store) -> SlotRecord:
    """A slot that is started in a while, on a terminal of 80 columns."""
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    now_ms = store.clock.wall_ms()
    ended = LastExit(now_ms - 65_000, REASON, None, 3, "port taken", 0.7, failed=True, jobs=(1555,))
    slot = replace(
        WORKER,
        state=SlotState.BACKOFF,
        reason=REASON,
        pid=None,
        incarnation=None,
        exits=(ended,),
        until_ms=now_ms + 298_000,
    )
    store.processes.put_slots([slot])
    return slot


@pytest.mark.usefixtures("crashing")
def test_a_narrow_terminal_tells_when_a_slot_is_started_and_then_why(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("workers", "status"):
        assert re.search(r"is started in 4 min 5\d s; exit code 3", orpheus(command).out)
    assert "`orpheus workers SLOT` shows all of one\n" in orpheus("workers").err


@pytest.mark.usefixtures("crashing")
def test_all_that_is_known_of_one_slot_is_shown_and_nothing_is_cut(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert orpheus("workers", "default-1", "--json").json["items"][0]["slot"] == "default-1"
    assert orpheus("workers", "nix").err.startswith("orpheus: there is no slot 'nix'")
    in_pipe = rf"last exit +{re.escape(REASON)} at {TIME}, after 700 ms, in job 1555\n"
    assert re.search(in_pipe, orpheus("workers", "default-1").out)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    out = orpheus("workers", "default-1").out
    assert max(map(len, out.splitlines())) <= 80
    told = " ".join(out.split())
    assert re.search(rf"why is started in 4 min 5\d s; {re.escape(REASON)}", told)
    assert f"last exit 1 min 5 s ago: {REASON}, after 700 ms, in job 1555" in told
    assert told.endswith("evidence of the last exit port taken")


@pytest.mark.usefixtures("crashing")
def test_a_program_that_is_not_ready_says_why_and_when_it_is_stopped(
    orpheus: Orpheus, store: Store
) -> None:
    waits = "not ready yet (http://127.0.0.1:9/health: connection refused)"
    until_ms = store.clock.wall_ms() + 42_400
    program = replace(WORKER, slot="web-1", pool="web", role=Role.PROGRAM, reason=waits)
    starting = replace(program, state=SlotState.STARTING, until_ms=until_ms)
    store.processes.put_slots([starting])
    for command in (("workers",), ("programs",), ("workers", "web-1")):
        told = rf"{re.escape(waits)}; is stopped {TIME} if it is not ready by then"
        assert re.search(told, orpheus(*command).out), command


def test_a_worker_that_drains_says_when_it_releases_what_still_runs(
    orpheus: Orpheus, store: Store
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    one = own_record(store.clock, "host-1", Role.WORKER, "default-1", "x", ready=True)
    for record in (boss, replace(one, pool="default", places=2)):
        store.processes.register(record)
    until_ms = store.clock.wall_ms() + 144_400
    store.processes.put_slots([replace(WORKER, state=SlotState.DRAINING, until_ms=until_ms)])
    for told in ("its job {} if it still runs", "its jobs {} if they still run"):
        store.jobs.submit(NewJob("count"))
        store.leases.lease(Holder("default-1", "x", 1), ("*",), 1, 30_000)
        assert re.search(f"releases {told.format(TIME)} by then", orpheus("workers").out)


@pytest.mark.parametrize("state", [SlotState.STOPPING, SlotState.DRAINING])
def test_one_that_ends_says_until_when_it_waits_and_not_how_the_one_before_it_ended(
    orpheus: Orpheus, store: Store, crashing: SlotRecord, state: SlotState
) -> None:
    one = own_record(store.clock, "host-1", Role.WORKER, "default-1", "x", ready=True)
    store.processes.register(replace(one, pool="default"))
    until_ms = store.clock.wall_ms() + 144_400
    ends = replace(WORKER, state=state, exits=crashing.exits, until_ms=until_ms)
    store.processes.put_slots([ends])
    assert REASON not in orpheus("workers").out
    store.jobs.submit(NewJob("count"))
    store.leases.lease(Holder("default-1", "x", 1), ("*",), 1, 30_000)
    told = rf"  releases its job {TIME} if it still runs by then\n"
    assert re.search(told, orpheus("workers").out)
    told = rf"released {TIME} if it still runs by then\n"
    assert re.search(told, orpheus("jobs").out), "of the job, too"
    assert re.search(rf"^note +{told}", orpheus("show", "1").out, re.MULTILINE)
    store.jobs.submit(NewJob("count"))
    store.leases.lease(Holder("default-1", "x", 1), ("*",), 1, 30_000)
    assert orpheus("jobs").out.count("released") == 1, "the other is prefetched"
    assert REASON in orpheus("workers", "default-1").out, "all of one tells that, too"


def test_all_of_a_slot_has_no_empty_row_and_tells_its_last_exit_once(
    orpheus: Orpheus, store: Store, crashing: SlotRecord
) -> None:
    store.processes.put_slots([replace(crashing, state=SlotState.READY, reason="", until_ms=None)])
    out = orpheus("workers", "default-1").out
    assert out.count(REASON) == 1
    assert re.search(rf"^last exit +{re.escape(REASON)}", out, re.MULTILINE)
    store.processes.put_slots([WORKER])
    assert "why" not in orpheus("workers", "default-1").out


def test_workers_of_a_supervisor_that_is_gone_are_not_shown(orpheus: Orpheus, store: Store) -> None:
    store.processes.put_slots([WORKER])
    assert orpheus("workers", "--json").json == {"items": []}
    for command in ("workers", "programs", "schedules"):
        code, _, err = orpheus(command)
        assert (code, err) == (0, "nothing runs; `orpheus` starts it\n")
