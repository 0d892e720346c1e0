"""How slots affect each other: which are added, replaced, set aside, held back, and when."""

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.supervisor.policy import fleet
from orpheus.supervisor.policy.fleet import (
    WantedSlot,
    advance,
    drain,
    is_replacing_api,
    reconcile,
    remove_ended,
    restart,
    retry_failed,
    rolling_restart,
)
from orpheus.supervisor.policy.slot import Desired, Observation, ObservedJob, Process, Rules, Slot

RULES = Rules()
NOW_S = 1_000.0


def wanted_slots(
    *counts: tuple[str, int], fingerprint: str = "v1", api: bool = False
) -> list[WantedSlot]:
    made = [WantedSlot("api", None, Role.API, fingerprint)] if api else []
    for pool, count in counts:
        made += [
            WantedSlot(f"{pool}-{n}", pool, Role.WORKER, fingerprint) for n in range(1, count + 1)
        ]
    return made


def ready(slot: Slot, **changes: object) -> Slot:
    """The slot with a process that is ready."""
    process = Process(f"process-of-{slot.name}", NOW_S, slot.fingerprint, ready_s=NOW_S)
    return replace(slot, state=SlotState.READY, process=process, **changes)


def ready_pool(count: int, fingerprint: str = "v1", *, api: bool = False) -> dict[str, Slot]:
    slots = reconcile({}, wanted_slots(("a", count), fingerprint=fingerprint, api=api), NOW_S)
    return {key: ready(slot) for key, slot in slots.items()}


def desired(slots: fleet.Fleet) -> dict[str, Desired]:
    return {key: slot.desired for key, slot in slots.items()}


def failed(slot: Slot, how: str = "exit code 1", state: SlotState = SlotState.BACKOFF) -> Slot:
    return replace(slot, state=state, process=None, start_failure=how)


# Which slots there are


def test_new_slots_start_one_after_another() -> None:
    slots = reconcile({}, wanted_slots(("a", 3)), NOW_S)
    assert list(slots) == ["a-1", "a-2", "a-3"]
    starts = [slot.not_before_s for slot in slots.values()]
    assert starts == sorted(set(starts))


def test_slots_of_a_pool_that_shrinks_drain_and_are_removed() -> None:
    after = reconcile(ready_pool(3), wanted_slots(("a", 1)), NOW_S)
    assert desired(after) == {
        "a-1": Desired.UP,
        "a-2": Desired.DRAINED,
        "a-3": Desired.DRAINED,
    }
    assert list(advance(after, RULES, NOW_S)) == ["a-1", "a-2", "a-3"]
    ended = {key: replace(slot, process=None, state=SlotState.DOWN) for key, slot in after.items()}
    assert list(remove_ended(ended)) == ["a-1"]


def test_a_slot_that_is_wanted_again_while_it_drains_is_replaced() -> None:
    shrunk = reconcile(ready_pool(2), wanted_slots(("a", 1)), NOW_S)
    shrunk["a-2"] = replace(shrunk["a-2"], state=SlotState.DRAINING)
    grown = reconcile(shrunk, wanted_slots(("a", 2)), NOW_S)
    assert grown["a-2"].desired is Desired.REPLACE
    assert not grown["a-2"].retired


@pytest.mark.parametrize("before", [Role.WORKER, Role.PROGRAM])
def test_a_pool_that_becomes_a_program_of_the_same_name_gets_new_slots(before: Role) -> None:
    """And the other way round. Else the program would be killed for want of heartbeats."""
    now = Role.PROGRAM if before is Role.WORKER else Role.WORKER
    old = ready(Slot("mail-1", "mail", before, fingerprint="old"))
    down = Slot("mail-2", "mail", before, fingerprint="old")
    wanted = [WantedSlot("mail-1", "mail", now, "new"), WantedSlot("mail-2", "mail", now, "new")]
    slots = reconcile({"mail-1": old, "mail-2": down}, wanted, NOW_S)
    aside = slots["mail-1~process-of-mail-1"]
    assert list(slots) == ["mail-1~process-of-mail-1", "mail-1", "mail-2"]
    assert (aside.role, aside.desired, aside.retired) == (before, Desired.DRAINED, True)
    assert {(slots[one].role, slots[one].process) for one in ("mail-1", "mail-2")} == {(now, None)}
    again = reconcile(slots, wanted, NOW_S)
    assert again == slots, "no process is set aside twice"
    back = reconcile(slots, [WantedSlot("mail-1", "mail", before, "old")], NOW_S)
    assert (back["mail-1"].role, back["mail-1"].process) == (before, None)


def test_a_slot_that_an_operator_drained_stays_down_after_a_reload() -> None:
    slots = ready_pool(2)
    slots["a-1"] = replace(drain(slots["a-1"]), state=SlotState.DOWN, process=None)
    after = advance(
        reconcile(retry_failed(slots), wanted_slots(("a", 2), fingerprint="v2"), NOW_S),
        RULES,
        NOW_S,
    )
    assert after["a-1"].desired is Desired.DRAINED
    assert restart(after, "a-1")["a-1"].desired is Desired.UP


def test_a_reload_retries_a_fatal_slot_at_once() -> None:
    slots = ready_pool(2)
    slots["a-1"] = failed(slots["a-1"], state=SlotState.FATAL)
    after = retry_failed(slots)
    assert after["a-1"].desired is Desired.REPLACE
    assert after["a-2"] == slots["a-2"]


# Replacing


def test_a_changed_pool_is_replaced_a_quarter_at_a_time() -> None:
    slots = advance(
        reconcile(ready_pool(8), wanted_slots(("a", 8), fingerprint="v2"), NOW_S), RULES, NOW_S
    )
    going = [key for key, slot in slots.items() if slot.desired is Desired.REPLACE]
    assert len(going) == 2
    assert advance(slots, RULES, NOW_S) == slots, "no more of them before these are ready"


def test_the_next_one_goes_when_the_first_is_ready_again() -> None:
    slots = advance(
        reconcile(ready_pool(2), wanted_slots(("a", 2), fingerprint="v2"), NOW_S), RULES, NOW_S
    )
    assert desired(slots) == {"a-1": Desired.REPLACE, "a-2": Desired.UP}
    slots["a-1"] = ready(replace(slots["a-1"], desired=Desired.UP))
    assert desired(advance(slots, RULES, NOW_S)) == {"a-1": Desired.UP, "a-2": Desired.REPLACE}


# In development, workers go once their replacements are ready

DEVELOPMENT = Rules(replacements_first=True)


def saved(count: int) -> dict[str, Slot]:
    """A pool of ready workers after job code was saved."""
    return advance(rolling_restart(ready_pool(count, api=True), [Role.WORKER]), DEVELOPMENT, NOW_S)


def test_in_development_each_worker_goes_once_its_replacement_is_ready() -> None:
    slots = saved(2)
    assert list(slots) == ["api", "a-1", "a-2", "a-1+", "a-2+"]
    assert set(desired(slots).values()) == {Desired.UP}
    new = Process("new", NOW_S, fingerprint="v1", ready_s=NOW_S)
    slots["a-1+"] = replace(slots["a-1+"], state=SlotState.READY, process=new)
    after = advance(slots, DEVELOPMENT, NOW_S)
    assert after["a-1"].process == new
    old = after["a-1~process-of-a-1"]
    assert (old.desired, old.retired) == (Desired.REPLACE, True)
    assert after["a-2"].desired is Desired.UP


def test_workers_whose_replacements_do_not_import_go_on_and_the_next_save_tries_at_once() -> None:
    slots = saved(3)
    for key in ("a-1+", "a-2+", "a-3+"):
        slots[key] = failed(slots[key], "exit code 78", SlotState.FATAL)
        slots[key] = replace(slots[key], reason="exit code 78")
    slots = advance(slots, DEVELOPMENT, NOW_S)
    workers = [slots["a-1"], slots["a-2"], slots["a-3"]]
    assert {(slot.state, slot.desired) for slot in workers} == {(SlotState.READY, Desired.UP)}
    assert {slot.trouble for slot in workers} == {"its replacement does not start: exit code 78"}
    mended = rolling_restart(retry_failed(slots), [Role.WORKER])
    mended = advance(mended, DEVELOPMENT, NOW_S)
    replacements = [slot for key, slot in mended.items() if key.endswith("+")]
    assert {(s.desired, s.held_back) for s in replacements} == {(Desired.REPLACE, "")}


def test_a_pool_that_becomes_a_program_takes_the_replacements_of_its_workers_with_it() -> None:
    slots = saved(1)
    slots["a-1+"] = replace(ready(slots["a-1+"]), state=SlotState.STARTING)
    after = reconcile(slots, [WantedSlot("a-1", "a", Role.PROGRAM, "v1")], NOW_S)
    assert (after["a-1+"].desired, after["a-1+"].retired) == (Desired.DRAINED, True)


def test_a_replacement_takes_over_although_code_is_no_longer_watched() -> None:
    slots = saved(1)
    slots["a-1+"] = ready(slots["a-1+"])
    assert "a-1+" not in advance(slots, RULES, NOW_S)


def test_idle_workers_go_first() -> None:
    slots = rolling_restart(ready_pool(3))
    process = slots["a-1"].process
    assert process is not None
    seen = Observation(job=ObservedJob(1, "x", overdue=False))
    slots["a-1"] = replace(slots["a-1"], process=replace(process, seen=seen))
    assert advance(slots, RULES, NOW_S)["a-1"].desired is Desired.UP


def test_a_rolling_restart_stops_when_a_new_process_does_not_start() -> None:
    slots = reconcile(ready_pool(4), wanted_slots(("a", 4), fingerprint="v2"), NOW_S)
    for state in (SlotState.STARTING, SlotState.BACKOFF, SlotState.FATAL):
        slots["a-1"] = replace(slots["a-1"], state=state, process=None, desired=Desired.UP)
        rolled = advance(slots, RULES, NOW_S)
        assert [s.desired for key, s in rolled.items() if key != "a-1"] == [Desired.UP] * 3


def test_a_process_still_starting_with_old_settings_is_replaced_at_once() -> None:
    slots = ready_pool(2)
    slots["a-1"] = replace(slots["a-1"], state=SlotState.STARTING)
    rolled = advance(
        reconcile(slots, wanted_slots(("a", 2), fingerprint="v2"), NOW_S), RULES, NOW_S
    )
    assert rolled["a-1"].desired is Desired.REPLACE


# The API's replacement


def test_the_api_gets_a_replacement_before_it_goes() -> None:
    slots = advance(rolling_restart(ready_pool(1, api=True)), RULES, NOW_S)
    assert (slots["api"].desired, slots["api+"].desired) == (Desired.UP, Desired.UP)
    assert slots["api+"].state is SlotState.DOWN

    slots["api+"] = replace(
        ready(slots["api+"]), process=Process("new", NOW_S, fingerprint="v1"), starts=1
    )
    slots["api+"] = ready(slots["api+"])
    after = advance(slots, RULES, NOW_S)
    assert after["api"].process == slots["api+"].process
    [(key, old)] = [(k, s) for k, s in after.items() if k.startswith("api~")]
    assert key == "api~process-of-api"
    assert (old.desired, old.retired) == (Desired.REPLACE, True)
    assert "api+" not in after


def test_the_exits_of_an_old_api_and_of_its_replacement_are_kept_once() -> None:
    slots = advance(rolling_restart(ready_pool(0, api=True)), RULES, NOW_S)
    slots["api"] = replace(slots["api"], exits=(an_exit("older"),))
    slots["api+"] = replace(slots["api+"], exits=(an_exit("newer"),))
    taken_over = advance({**slots, "api+": ready(slots["api+"])}, RULES, NOW_S)
    not_needed = {**slots, "api": replace(slots["api"], fingerprint=fleet._OUTDATED)}
    for after in (taken_over, advance(not_needed, RULES, NOW_S)):
        assert sorted(one.reason for slot in after.values() for one in slot.exits) == [
            "newer",
            "older",
        ]
        assert [one.reason for one in after["api"].exits] == ["newer", "older"]


def test_an_api_whose_replacement_does_not_start_stays_and_says_so() -> None:
    slots = advance(rolling_restart(ready_pool(0, api=True)), RULES, NOW_S)
    for state in (SlotState.BACKOFF, SlotState.FATAL):
        slots["api+"] = replace(slots["api+"], state=state, reason="exit code 1")
        slots = advance(slots, RULES, NOW_S)
        assert slots["api"].trouble == "its replacement does not start: exit code 1"
        assert slots["api"].desired is Desired.UP


def test_the_replacement_takes_over_when_the_api_dies_meanwhile() -> None:
    slots = advance(rolling_restart(ready_pool(0, api=True)), RULES, NOW_S)
    slots["api"] = replace(slots["api"], state=SlotState.BACKOFF, process=None)
    slots["api+"] = replace(
        slots["api+"], state=SlotState.STARTING, process=Process("new", NOW_S, fingerprint="v1")
    )
    after = advance(slots, RULES, NOW_S)
    assert list(after) == ["api"]
    assert after["api"].process == slots["api+"].process


def test_a_replacement_that_is_no_longer_needed_is_removed() -> None:
    slots = advance(rolling_restart(ready_pool(0, api=True)), RULES, NOW_S)
    slots["api"] = ready(slots["api"])  # it was started anew for another reason
    after = advance(advance(slots, RULES, NOW_S), RULES, NOW_S)
    assert list(after) == ["api"]


def test_an_api_that_is_restarted_gets_a_replacement_too() -> None:
    assert "api+" in advance(restart(ready_pool(0, api=True), "api"), RULES, NOW_S)


def test_a_restart_of_an_api_whose_replacement_is_fatal_starts_the_replacement() -> None:
    slots = advance(rolling_restart(ready_pool(0, api=True)), RULES, NOW_S)
    slots["api+"] = failed(slots["api+"], state=SlotState.FATAL)
    assert restart(slots, "api")["api+"].desired is Desired.REPLACE


def test_an_api_that_is_switched_off_takes_its_replacement_with_it() -> None:
    slots = advance(rolling_restart(ready_pool(1, api=True)), RULES, NOW_S)
    slots["api+"] = replace(ready(slots["api+"]), state=SlotState.STARTING)
    after = advance(reconcile(slots, wanted_slots(("a", 1)), NOW_S), RULES, NOW_S)
    assert {key: slot.retired for key, slot in after.items()} == {
        "a-1": False,
        "api": True,
        "api+": True,
    }


def test_an_api_is_being_replaced_until_its_process_has_ended() -> None:
    slots = ready_pool(1, api=True)
    assert not is_replacing_api(slots)
    assert is_replacing_api(rolling_restart(slots))
    assert is_replacing_api(reconcile(slots, wanted_slots(("a", 1)), NOW_S))


# Stuck


def test_a_process_that_sigkill_does_not_end_loses_its_slot() -> None:
    slots = ready_pool(2)
    slots["a-1"] = replace(slots["a-1"], state=SlotState.STUCK)
    after = advance(slots, RULES, NOW_S)
    assert (after["a-1"].state, after["a-1"].process) == (SlotState.BACKOFF, None)
    aside = after["a-1~process-of-a-1"]
    assert (aside.process, aside.retired) == (slots["a-1"].process, True)
    assert advance(after, RULES, NOW_S) == after


# Starting one after another


def test_a_worker_starts_once_the_leases_of_the_one_before_it_are_freed() -> None:
    slots = ready_pool(2, api=True)
    slots = {key: replace(slot, state=SlotState.DOWN, process=None) for key, slot in slots.items()}
    slots["a-2"] = ready(slots["a-2"])
    held = advance(slots, RULES, NOW_S, {"api", "a-1", "a-2"})
    assert {key: slot.held_back for key, slot in held.items()} == {
        "api": "",
        "a-1": "waits until the leases of its last process are freed",
        "a-2": "",
    }
    assert not advance(held, RULES, NOW_S, {"a-2"})["a-1"].held_back


def test_when_half_of_a_pool_fails_to_start_alike_the_first_tries_alone() -> None:
    slots = ready_pool(4)
    slots["a-2"], slots["a-4"] = failed(slots["a-2"]), failed(slots["a-4"])
    after = advance(slots, RULES, NOW_S)
    assert {key: slot.held_back for key, slot in after.items()} == {
        "a-1": "",
        "a-2": "",
        "a-3": "",
        "a-4": "waits for a-2 to stay up",
    }


def test_different_failures_or_failures_of_less_than_half_hold_no_slot_back() -> None:
    slots = ready_pool(4)
    slots["a-2"] = failed(slots["a-2"])
    assert not any(slot.held_back for slot in advance(slots, RULES, NOW_S).values())
    slots["a-4"] = failed(slots["a-4"], "killed by SIGSEGV")
    assert not any(slot.held_back for slot in advance(slots, RULES, NOW_S).values())


def test_a_pool_of_one_is_never_held_back() -> None:
    slots = ready_pool(1)
    slots["a-1"] = failed(slots["a-1"])
    assert not advance(slots, RULES, NOW_S)["a-1"].held_back


def test_the_others_follow_once_the_first_has_stayed_up() -> None:
    slots = {key: failed(slot) for key, slot in ready_pool(3).items()}
    slots = advance(slots, RULES, NOW_S)
    slots["a-1"] = replace(ready(slots["a-1"]), start_failure="exit code 1")
    soon = advance(slots, RULES, NOW_S + RULES.trial_s - 1)
    assert soon["a-3"].held_back
    later = advance(soon, RULES, NOW_S + RULES.trial_s)
    assert not any(slot.held_back or slot.start_failure for slot in later.values())


def an_exit(reason: str) -> LastExit:
    return LastExit(at_ms=1, reason=reason, signal=None, code=0, evidence=None)
