"""A slot of a foreign program: it has no beats and no channel, and `restart` says what follows."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.programs import RestartPolicy
from orpheus.supervisor.policy import fleet, order
from orpheus.supervisor.policy.fleet import WantedSlot
from orpheus.supervisor.policy.slot import Cause, Desired, OsStatus, ProcessCommand, Rules, Slot
from orpheus.supervisor.policy.state_machine import next_wake_s, with_desired
from tests.unit.supervisor.policy.driver import Driver

RULES = Rules(ready_after_s=1.0)
NEVER, ON_FAILURE = RestartPolicy.NEVER, RestartPolicy.ON_FAILURE


def driver(rules: Rules = RULES, **changes: Any) -> Driver:
    one = Driver(replace(rules, **changes))
    one.slot = Slot("web-1", "web", Role.PROGRAM)
    one.turn()
    return one


def ready(**changes: Any) -> Driver:
    one = driver(**changes)
    one.turn(1.0)
    assert one.state() is SlotState.READY
    return one


def test_it_is_ready_after_its_time_and_the_loop_wakes_up_for_it() -> None:
    one = driver()
    assert one.state() is SlotState.STARTING
    assert next_wake_s(one.slot, one.rules, one.now_s) == one.now_s + 1.0
    one.turn(0.9)
    assert one.state() is SlotState.STARTING
    one.turn(0.1)
    assert one.state() is SlotState.READY and one.reported() == [Kind.WORKER_READY]


def test_without_beats_it_is_never_hung_even_if_it_is_stopped() -> None:
    one = ready()
    for _ in range(100):
        one.see(10.0, os_status=OsStatus.STOPPED)
        assert one.commands() == []
    assert one.state() is SlotState.READY and not one.slot.degraded


def test_one_that_is_not_ready_in_time_is_asked_to_stop_and_fails() -> None:
    one = driver(ready_after_s=None)
    one.turn(60.0)
    assert one.commands() == [ProcessCommand.TERMINATE] and one.reported() == [Kind.WORKER_HUNG]
    one.exit(code=0)
    assert one.state() is SlotState.BACKOFF
    assert one.reason() == "not ready within 60 s; exit code 0"
    assert one.ended().cause is Cause.START_TIMEOUT


def test_one_whose_checks_fail_is_asked_to_stop_then_killed() -> None:
    one = ready()
    one.see(unhealthy="3 checks in a row failed")
    assert one.state() is SlotState.STOPPING and one.commands() == [ProcessCommand.TERMINATE]
    one.turn(25.0)
    assert one.commands() == [ProcessCommand.KILL]
    one.exit(signal=9)
    assert one.state() is SlotState.BACKOFF
    assert one.reason() == "3 checks in a row failed; killed"
    assert one.ended().cause is Cause.HUNG


def test_a_drain_stops_it_at_once_and_keeps_it_down() -> None:
    one = ready()
    one.slot = fleet.drain(one.slot)
    one.turn()
    assert one.commands() == [ProcessCommand.TERMINATE]
    one.exit(code=143)
    one.turn(100.0)
    assert one.state() is SlotState.DOWN and one.reason() == "drained"


def test_it_may_end_by_any_code_when_it_is_replaced() -> None:
    one = ready()
    one.slot = with_desired(one.slot, Desired.REPLACE)
    one.turn()
    one.exit(code=3)
    assert one.reason() == "replaced" and one.slot.failures == 0
    one.turn()
    assert one.commands() == [ProcessCommand.SPAWN]


@pytest.mark.parametrize(
    ("restart", "exit", "state", "is_trouble"),
    [
        (RestartPolicy.ALWAYS, {"code": 0}, SlotState.BACKOFF, False),
        (ON_FAILURE, {"code": 0}, SlotState.DOWN, False),
        (ON_FAILURE, {"code": 1}, SlotState.BACKOFF, False),
        (ON_FAILURE, {"code": 78}, SlotState.BACKOFF, False),
        (ON_FAILURE, {"signal": 9}, SlotState.BACKOFF, False),
        (NEVER, {"code": 0}, SlotState.DOWN, False),
        (NEVER, {"code": 1}, SlotState.DOWN, True),
        (NEVER, {"signal": 11}, SlotState.DOWN, True),
    ],
)
def test_what_follows_its_own_end_is_what_restart_says(
    restart: RestartPolicy, exit: dict[str, int], state: SlotState, is_trouble: bool
) -> None:
    one = ready(restart=restart)
    one.exit(**exit)
    assert one.state() is state
    assert bool(one.slot.trouble) == is_trouble
    if state is SlotState.DOWN:
        assert one.slot.desired is Desired.ENDED
        one.turn(1_000.0)
        assert one.commands() == []
        one.slot = fleet.restart({"web-1": one.slot}, "web-1")["web-1"]
        one.turn()
        assert one.commands() == [ProcessCommand.SPAWN] and not one.slot.trouble


@pytest.mark.parametrize(
    ("code", "restart", "starts"),
    [
        (0, RestartPolicy.ALWAYS, True),
        (0, ON_FAILURE, False),
        (1, ON_FAILURE, True),
        (1, NEVER, False),
    ],
)
def test_one_that_has_ended_starts_again_when_restart_is_changed_so(
    code: int, restart: RestartPolicy, starts: bool
) -> None:
    one = ready(restart=NEVER)
    one.exit(code=code)
    one.rules = replace(one.rules, restart=restart)
    one.turn()
    assert one.commands() == ([ProcessCommand.SPAWN] if starts else [])


def test_one_that_grows_is_restarted_whatever_restart_says() -> None:
    one = ready(restart=NEVER, max_memory_bytes=100)
    one.see(rss_bytes=120)
    assert one.commands() == [ProcessCommand.TERMINATE]
    one.exit(signal=15)
    one.turn()
    assert one.commands() == [ProcessCommand.SPAWN]


def test_changed_settings_start_one_that_had_ended_but_none_that_was_drained() -> None:
    ended = replace(ready().slot, process=None, state=SlotState.DOWN, fingerprint="old")
    web = WantedSlot("web-1", "web", Role.PROGRAM, "old")
    for desired, wanted in ((Desired.ENDED, Desired.UP), (Desired.DRAINED, Desired.DRAINED)):
        slots = {"web-1": replace(ended, desired=desired)}
        assert fleet.reconcile(slots, [web], 0.0)["web-1"].desired is desired
        changed = [replace(web, fingerprint="new")]
        assert fleet.reconcile(slots, changed, 0.0)["web-1"].desired is wanted


def test_one_that_comes_after_another_waits_for_it_from_the_start_on() -> None:
    wanted = [
        WantedSlot("web-1", "web", Role.PROGRAM, "", after=("db",)),
        WantedSlot("db-1", "db", Role.PROGRAM, ""),
    ]
    slots = fleet.reconcile({}, wanted, 0.0)
    assert slots["web-1"].held_back == "waits for db-1" and not slots["db-1"].held_back
    slots["db-1"] = replace(slots["db-1"], state=SlotState.READY)
    assert not fleet.advance(slots, RULES, 0.0)["web-1"].held_back


def test_at_a_shutdown_it_stops_once_those_after_it_have_ended() -> None:
    web, db = ready().slot, ready().slot
    slots = {
        "web-1": replace(web, after=("db",)),
        "db-1": replace(db, name="db-1", pool="db"),
    }
    first = order.stop(slots, 9_000.0, in_order=True)
    assert [one.desired for one in first.values()] == [Desired.DOWN, Desired.UP]
    assert all(one.kill_at_s == 9_000.0 for one in first.values())
    first["web-1"] = replace(first["web-1"], process=None, state=SlotState.DOWN)
    assert order.stop(first, 9_000.0, in_order=True)["db-1"].desired is Desired.DOWN
    assert order.stop(slots, 1.0, in_order=False)["db-1"].desired is Desired.DOWN
