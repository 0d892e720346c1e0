"""What slots owe to each other: who is added, replaced, set aside, held back, and when."""

from dataclasses import replace

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.supervisor.policy import fleet
from orpheus.supervisor.policy.fleet import (
    Place,
    advance,
    arrange,
    drain,
    is_replacing_api,
    outdate,
    restarted,
    swept,
    try_again,
)
from orpheus.supervisor.policy.slot import Desired, JobSeen, Life, Rules, Slot

RULES = Rules()
NOW_S = 1_000.0


def places(*counts: tuple[str, int], runs: str = "v1", api: bool = False) -> list[Place]:
    made = [Place("api", None, Role.API, runs)] if api else []
    for pool, count in counts:
        made += [Place(f"{pool}-{n}", pool, Role.WORKER, runs) for n in range(1, count + 1)]
    return made


def ready(slot: Slot, **changes: object) -> Slot:
    """The slot with a life that does well."""
    life = Life(f"life-of-{slot.name}", NOW_S, runs=slot.runs, ready_s=NOW_S)
    return replace(slot, state=SlotState.READY, life=life, **changes)  # type: ignore[arg-type]


def pool_at_work(count: int, runs: str = "v1", *, api: bool = False) -> dict[str, Slot]:
    slots = arrange({}, places(("a", count), runs=runs, api=api), NOW_S)
    return {key: ready(slot) for key, slot in slots.items()}


def desired(slots: fleet.Fleet) -> dict[str, Desired]:
    return {key: slot.desired for key, slot in slots.items()}


def failed(slot: Slot, how: str = "exit code 1", state: SlotState = SlotState.BACKOFF) -> Slot:
    return replace(slot, state=state, life=None, start_failure=how)


# Which slots there are


def test_new_slots_start_one_after_another() -> None:
    slots = arrange({}, places(("a", 3)), NOW_S)
    assert list(slots) == ["a-1", "a-2", "a-3"]
    starts = [slot.not_before_s for slot in slots.values()]
    assert starts == sorted(set(starts))


def test_a_pool_that_grows_leaves_the_others_as_they_are() -> None:
    before = pool_at_work(2)
    after = arrange(before, places(("a", 3)), NOW_S)
    assert {key: after[key] for key in before} == before
    assert after["a-3"].state is SlotState.DOWN


def test_a_pool_that_shrinks_drains_and_goes() -> None:
    after = arrange(pool_at_work(3), places(("a", 1)), NOW_S)
    assert desired(after) == {
        "a-1": Desired.UP,
        "a-2": Desired.DRAINED,
        "a-3": Desired.DRAINED,
    }
    assert list(advance(after, RULES, NOW_S)) == ["a-1", "a-2", "a-3"]
    ended = {key: replace(slot, life=None, state=SlotState.DOWN) for key, slot in after.items()}
    assert list(swept(ended)) == ["a-1"]


def test_a_slot_that_is_wanted_again_while_it_drains_is_replaced() -> None:
    shrunk = arrange(pool_at_work(2), places(("a", 1)), NOW_S)
    shrunk["a-2"] = replace(shrunk["a-2"], state=SlotState.DRAINING)
    grown = arrange(shrunk, places(("a", 2)), NOW_S)
    assert grown["a-2"].desired is Desired.REPLACE
    assert not grown["a-2"].retired


def test_what_an_operator_drained_stays_down_through_a_reload() -> None:
    slots = pool_at_work(2)
    slots["a-1"] = replace(drain(slots["a-1"]), state=SlotState.DOWN, life=None)
    after = advance(arrange(try_again(slots), places(("a", 2), runs="v2"), NOW_S), RULES, NOW_S)
    assert after["a-1"].desired is Desired.DRAINED
    assert restarted(after, "a-1")["a-1"].desired is Desired.UP


def test_a_reload_tries_what_had_given_up_at_once() -> None:
    slots = pool_at_work(2)
    slots["a-1"] = failed(slots["a-1"], state=SlotState.FATAL)
    after = try_again(slots)
    assert after["a-1"].desired is Desired.REPLACE
    assert after["a-2"] == slots["a-2"]


# Replacing


def test_a_changed_pool_is_replaced_a_quarter_at_a_time() -> None:
    slots = advance(arrange(pool_at_work(8), places(("a", 8), runs="v2"), NOW_S), RULES, NOW_S)
    going = [key for key, slot in slots.items() if slot.desired is Desired.REPLACE]
    assert len(going) == 2
    assert advance(slots, RULES, NOW_S) == slots, "no more of them before these are ready"


def test_the_next_one_goes_when_the_first_is_ready_again() -> None:
    slots = advance(arrange(pool_at_work(2), places(("a", 2), runs="v2"), NOW_S), RULES, NOW_S)
    assert desired(slots) == {"a-1": Desired.REPLACE, "a-2": Desired.UP}
    slots["a-1"] = ready(replace(slots["a-1"], desired=Desired.UP))
    assert desired(advance(slots, RULES, NOW_S)) == {"a-1": Desired.UP, "a-2": Desired.REPLACE}


def test_idle_workers_go_first() -> None:
    slots = outdate(pool_at_work(3))
    life = slots["a-1"].life
    assert life is not None
    slots["a-1"] = replace(slots["a-1"], life=replace(life, job=JobSeen(1, "x", overdue=False)))
    assert advance(slots, RULES, NOW_S)["a-1"].desired is Desired.UP


def test_a_roll_stops_where_the_new_does_not_start() -> None:
    slots = arrange(pool_at_work(4), places(("a", 4), runs="v2"), NOW_S)
    for state in (SlotState.STARTING, SlotState.BACKOFF, SlotState.FATAL):
        slots["a-1"] = replace(slots["a-1"], state=state, life=None, desired=Desired.UP)
        rolled = advance(slots, RULES, NOW_S)
        assert [s.desired for key, s in rolled.items() if key != "a-1"] == [Desired.UP] * 3


def test_what_is_still_starting_with_old_settings_starts_anew_at_once() -> None:
    slots = pool_at_work(2)
    slots["a-1"] = replace(slots["a-1"], state=SlotState.STARTING)
    rolled = advance(arrange(slots, places(("a", 2), runs="v2"), NOW_S), RULES, NOW_S)
    assert rolled["a-1"].desired is Desired.REPLACE


def test_pools_are_replaced_independently() -> None:
    wanted = places(("a", 2), ("b", 2))
    slots = {key: ready(slot) for key, slot in arrange({}, wanted, NOW_S).items()}
    going = [
        key
        for key, slot in advance(outdate(slots), RULES, NOW_S).items()
        if slot.desired is Desired.REPLACE
    ]
    assert going == ["a-1", "b-1"]


# The API's successor


def test_the_api_gets_a_successor_before_it_goes() -> None:
    slots = advance(outdate(pool_at_work(1, api=True)), RULES, NOW_S)
    assert (slots["api"].desired, slots["api+"].desired) == (Desired.UP, Desired.UP)
    assert slots["api+"].state is SlotState.DOWN

    slots["api+"] = replace(ready(slots["api+"]), life=Life("new", NOW_S, runs="v1"), starts=1)
    slots["api+"] = ready(slots["api+"])
    after = advance(slots, RULES, NOW_S)
    assert after["api"].life == slots["api+"].life
    [(key, old)] = [(k, s) for k, s in after.items() if k.startswith("api~")]
    assert key == "api~life-of-api"
    assert (old.desired, old.retired) == (Desired.REPLACE, True)
    assert "api+" not in after


def test_how_the_old_api_ended_is_told_by_its_slot() -> None:
    slots = {"api": ready(Slot("api", None, Role.API))}
    old = replace(Slot("api", None, Role.API), retired=True, exits=(an_exit("replaced"),))
    after = swept({**slots, "api~old": old})
    assert list(after) == ["api"]
    assert [one.reason for one in after["api"].exits] == ["replaced"]


def test_an_api_whose_successor_does_not_start_stays_and_says_so() -> None:
    slots = advance(outdate(pool_at_work(0, api=True)), RULES, NOW_S)
    for state in (SlotState.BACKOFF, SlotState.FATAL):
        slots["api+"] = replace(slots["api+"], state=state, reason="exit code 1")
        slots = advance(slots, RULES, NOW_S)
        assert slots["api"].trouble == "its replacement does not start: exit code 1"
        assert slots["api"].desired is Desired.UP


def test_an_api_that_dies_meanwhile_leaves_its_place_to_its_successor() -> None:
    slots = advance(outdate(pool_at_work(0, api=True)), RULES, NOW_S)
    slots["api"] = replace(slots["api"], state=SlotState.BACKOFF, life=None)
    slots["api+"] = replace(
        slots["api+"], state=SlotState.STARTING, life=Life("new", NOW_S, runs="v1")
    )
    after = advance(slots, RULES, NOW_S)
    assert list(after) == ["api"]
    assert after["api"].life == slots["api+"].life


def test_a_successor_that_is_not_needed_any_more_goes() -> None:
    slots = advance(outdate(pool_at_work(0, api=True)), RULES, NOW_S)
    slots["api"] = ready(slots["api"])  # it was started anew for another reason
    after = advance(advance(slots, RULES, NOW_S), RULES, NOW_S)
    assert list(after) == ["api"]


def test_an_api_that_is_restarted_is_succeeded_too() -> None:
    assert "api+" in advance(restarted(pool_at_work(0, api=True), "api"), RULES, NOW_S)


def test_who_restarts_an_api_whose_successor_has_given_up_starts_the_successor() -> None:
    slots = advance(outdate(pool_at_work(0, api=True)), RULES, NOW_S)
    slots["api+"] = failed(slots["api+"], state=SlotState.FATAL)
    assert restarted(slots, "api")["api+"].desired is Desired.REPLACE


def test_an_api_that_is_switched_off_takes_its_successor_with_it() -> None:
    slots = advance(outdate(pool_at_work(1, api=True)), RULES, NOW_S)
    slots["api+"] = replace(ready(slots["api+"]), state=SlotState.STARTING)
    after = advance(arrange(slots, places(("a", 1)), NOW_S), RULES, NOW_S)
    assert {key: slot.retired for key, slot in after.items()} == {
        "a-1": False,
        "api": True,
        "api+": True,
    }


def test_an_old_api_is_on_its_way_out_until_its_life_has_ended() -> None:
    slots = pool_at_work(1, api=True)
    assert not is_replacing_api(slots)
    assert is_replacing_api(outdate(slots))
    assert is_replacing_api(arrange(slots, places(("a", 1)), NOW_S))


# Stuck


def test_a_process_that_sigkill_does_not_end_loses_its_slot() -> None:
    slots = pool_at_work(2)
    slots["a-1"] = replace(slots["a-1"], state=SlotState.STUCK)
    after = advance(slots, RULES, NOW_S)
    assert (after["a-1"].state, after["a-1"].life) == (SlotState.BACKOFF, None)
    aside = after["a-1~life-of-a-1"]
    assert (aside.life, aside.retired) == (slots["a-1"].life, True)
    assert advance(after, RULES, NOW_S) == after


# Trying one at a time


def test_when_half_of_a_pool_fails_to_start_alike_the_first_tries_alone() -> None:
    slots = pool_at_work(4)
    slots["a-2"], slots["a-4"] = failed(slots["a-2"]), failed(slots["a-4"])
    after = advance(slots, RULES, NOW_S)
    assert {key: slot.held_back for key, slot in after.items()} == {
        "a-1": "",
        "a-2": "",
        "a-3": "",
        "a-4": "waits for a-2 to stay up",
    }


def test_failures_of_different_kinds_or_of_less_than_half_hold_nobody_back() -> None:
    slots = pool_at_work(4)
    slots["a-2"] = failed(slots["a-2"])
    assert not any(slot.held_back for slot in advance(slots, RULES, NOW_S).values())
    slots["a-4"] = failed(slots["a-4"], "killed by SIGSEGV")
    assert not any(slot.held_back for slot in advance(slots, RULES, NOW_S).values())


def test_a_drained_slot_neither_leads_nor_waits() -> None:
    slots = {key: failed(slot) for key, slot in pool_at_work(3).items()}
    slots["a-1"] = replace(drain(slots["a-1"]), state=SlotState.DOWN)
    after = advance(slots, RULES, NOW_S)
    assert {key: slot.held_back for key, slot in after.items()} == {
        "a-1": "",
        "a-2": "",
        "a-3": "waits for a-2 to stay up",
    }


def test_a_pool_of_one_is_never_held_back() -> None:
    slots = pool_at_work(1)
    slots["a-1"] = failed(slots["a-1"])
    assert not advance(slots, RULES, NOW_S)["a-1"].held_back


def test_the_others_follow_once_the_first_has_stayed_up() -> None:
    slots = {key: failed(slot) for key, slot in pool_at_work(3).items()}
    slots = advance(slots, RULES, NOW_S)
    slots["a-1"] = replace(ready(slots["a-1"]), start_failure="exit code 1")
    soon = advance(slots, RULES, NOW_S + RULES.trial_s - 1)
    assert soon["a-3"].held_back
    later = advance(soon, RULES, NOW_S + RULES.trial_s)
    assert not any(slot.held_back or slot.start_failure for slot in later.values())


def an_exit(reason: str):
    from orpheus.shared.domain.processes import LastExit

    return LastExit(at_ms=1, reason=reason, signal=None, code=0, evidence=None)
