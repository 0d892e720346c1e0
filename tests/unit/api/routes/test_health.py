"""The checks of programs, workers and the supervisor in /readyz."""

from typing import Any

import pytest

from orpheus.api.routes.health import programs_check, supervisor_check, workers_check
from orpheus.shared.domain.processes import Order, SlotState, is_silent
from orpheus.shared.messages.http import Check
from orpheus.shared.messages.workers import Worker
from tests.explained import worker

DEAD_AFTER_S = 15.0
READY = {"state": SlotState.READY}
DOWN = {"state": SlotState.DOWN}
ENDED = {"state": SlotState.DOWN, "ended": True}


def program(fields: dict[str, Any]) -> Worker:
    return worker("web-1", **fields)


@pytest.mark.parametrize(
    ("slots", "status", "detail"),
    [
        ([READY, DOWN], "ok", "1 of 2 ready"),
        ([READY, ENDED], "ok", "1 of 1 ready, 1 ended as meant"),
        ([ENDED], "ok", "1 ended as meant"),
        (
            [READY, {**DOWN, "degraded": True, "reason": "x"}],
            "degraded",
            "1 of 2 ready: web-1 is down",
        ),
        ([{**READY, "degraded": True}], "degraded", "0 of 1 ready: web-1 is degraded"),
    ],
)
def test_programs_that_have_done_their_work_are_not_missed(
    slots: list[dict[str, Any]], status: str, detail: str
) -> None:
    check = programs_check([program(one) for one in slots])["programs"]
    assert (check.status, check.detail) == (status, detail)


def beating(slot: str, age_s: float | None, **fields: Any) -> Worker:
    silent = is_silent(SlotState.READY, age_s, DEAD_AFTER_S)
    fields = {**READY, "slot": slot, "heartbeat_age_s": age_s, "silent": silent, **fields}
    return worker(**fields)


def not_ready(slot: str, state: SlotState, **fields: Any) -> Worker:
    return beating(slot, None, state=state, **fields)


def test_a_supervisor_that_stands_still_is_told() -> None:
    assert supervisor_check([]) == {}, "the API runs by itself"
    for age_s in (None, 7.4):
        check = supervisor_check([beating("supervisor", age_s)])["supervisor"]
        assert check == Check("ok", "runs")
    check = supervisor_check([beating("supervisor", 90.0)])["supervisor"]
    silent = "supervisor has sent no heartbeat for 1 min 30 s"
    assert check == Check("degraded", silent)


def test_a_worker_that_is_silent_degrades() -> None:
    slots = [beating("default-1", 0.5), beating("default-2", 9.0)]
    silent = "1 of 2 ready: default-2 has sent no heartbeat for 9 s"
    assert workers_check(slots, DEAD_AFTER_S) == Check("degraded", silent)
    assert workers_check(slots[:1], DEAD_AFTER_S) == Check("ok", "1 of 1 ready")


def test_no_worker_is_ready_if_all_are_silent_for_so_long_that_they_are_taken_for_dead() -> None:
    dead = [beating("default-1", 15.0)]
    told = "0 of 1 ready: default-1 has sent no heartbeat for 15 s"
    assert workers_check(dead, DEAD_AFTER_S) == Check("failed", told)


def test_of_several_hosts_the_one_is_named_whose_supervisor_is_silent_or_lost() -> None:
    why = {"degraded": True, "order": Order.LOST, "reason": "lost: nothing was heard of eve"}
    lost = not_ready("supervisor", SlotState.DOWN, host="eve", **why)
    check = supervisor_check([beating("supervisor", 9.0), lost])["supervisor"]
    told = "supervisor on eve is down: lost: nothing was heard of eve"
    told += ", supervisor on ada has sent no heartbeat for 9 s"
    assert check == Check("degraded", told)


def test_of_many_workers_that_are_not_ready_a_few_are_named() -> None:
    slots = [beating(f"default-{number}", 20.0) for number in range(1, 301)]
    told = workers_check(slots, DEAD_AFTER_S).detail
    assert told.startswith("0 of 300 ready: default-1 has sent") and told.endswith(", and 295 more")


def test_no_worker_is_ready_and_the_check_only_degrades_while_one_may_still_be_alive() -> None:
    told = "0 of 1 ready: default-1 has sent no heartbeat for 9 s"
    check = workers_check([beating("default-1", 9.0)], DEAD_AFTER_S)
    assert check == Check("degraded", told)


def test_the_worst_are_named_first_and_the_others_are_cut_off() -> None:
    slow = [beating(f"default-{number}", 0.5, degraded=True) for number in range(1, 6)]
    worse = [
        not_ready("default-6", SlotState.STARTING),
        beating("default-7", 9.0),
        not_ready("default-8", SlotState.FATAL),
        not_ready("default-9", SlotState.DOWN, order=Order.LOST, degraded=True, reason="lost"),
    ]
    detail = workers_check([*slow, *worse], DEAD_AFTER_S).detail
    assert detail == (
        "5 of 9 ready: default-9 is down: lost, default-8 is fatal, "
        "default-7 has sent no heartbeat for 9 s, default-6 is starting, default-1 is degraded, "
        "and 4 more"
    )


def test_a_worker_that_is_scaled_away_is_not_missed_while_it_finishes_its_job() -> None:
    leaving = not_ready("default-2", SlotState.DRAINING, order=Order.SCALED_AWAY, leaves=True)
    check = workers_check([beating("default-1", 0.5), leaving], DEAD_AFTER_S)
    assert check == Check("ok", "1 of 1 ready")
    drained = not_ready("default-2", SlotState.DOWN, order=Order.DRAINED)
    check = workers_check([beating("default-1", 0.5), drained], DEAD_AFTER_S)
    assert check == Check("degraded", "1 of 2 ready: default-2 is down")
