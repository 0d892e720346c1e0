"""The checks of programs, workers and the supervisor in /readyz."""

from typing import cast

import pytest

from orpheus.api.routes.health import programs_check, supervisor_check, workers_check
from orpheus.shared.domain.processes import Order, SlotState
from orpheus.shared.views.workers import Worker

READY = {"state": SlotState.READY}
DOWN = {"state": SlotState.DOWN}
ENDED = {"state": SlotState.DOWN, "ended": True}


def program(fields: dict[str, object]) -> Worker:
    usual = {"host": "ada", "slot": "web-1", "degraded": False, "ended": False, "order": None}
    return cast("Worker", {**usual, "heartbeat_age_s": None, **fields})


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
    slots: list[dict[str, object]], status: str, detail: str
) -> None:
    check = programs_check([program(one) for one in slots], 15.0)["programs"]
    assert (check["status"], check["detail"]) == (status, detail)


def beating(slot: str, heartbeat_age_s: float | None, host: str = "ada") -> Worker:
    fields = {"slot": slot, "state": SlotState.READY, "heartbeat_age_s": heartbeat_age_s}
    return cast("Worker", {"host": host, "degraded": False, "order": None, **fields})


def test_a_supervisor_that_stands_still_is_told() -> None:
    assert supervisor_check([], 15.0) == {}, "the API runs by itself"
    for age_s in (None, 7.4):
        check = supervisor_check([beating("supervisor", age_s)], 15.0)["supervisor"]
        assert check == {"status": "ok", "detail": "runs"}
    check = supervisor_check([beating("supervisor", 90.0)], 15.0)["supervisor"]
    silent = "supervisor has sent no heartbeat for 1 min 30 s"
    assert check == {"status": "degraded", "detail": silent}


def test_a_worker_that_is_silent_degrades() -> None:
    slots = [beating("default-1", 0.5), beating("default-2", 9.0)]
    silent = "2 of 2 ready: default-2 has sent no heartbeat for 9 s"
    assert workers_check(slots, 15.0) == {"status": "degraded", "detail": silent}
    assert workers_check(slots[:1], 15.0) == {"status": "ok", "detail": "1 of 1 ready"}


def test_no_worker_is_ready_if_all_are_silent_for_so_long_that_they_are_taken_for_dead() -> None:
    dead = [beating("default-1", 15.0)]
    told = "0 of 1 ready: default-1 has sent no heartbeat for 15 s"
    assert workers_check(dead, 15.0) == {"status": "failed", "detail": told}


def test_of_several_hosts_the_one_is_named_whose_supervisor_is_silent_or_lost() -> None:
    lost = beating("supervisor", None, "eve")
    lost["state"], lost["degraded"] = SlotState.DOWN, True
    lost["order"], lost["reason"] = Order.LOST, "lost: nothing was heard of eve"
    check = supervisor_check([beating("supervisor", 9.0), lost], 15.0)["supervisor"]
    told = "supervisor on eve is down: lost: nothing was heard of eve"
    told += ", supervisor on ada has sent no heartbeat for 9 s"
    assert check == {"status": "degraded", "detail": told}


def test_of_many_workers_that_are_not_ready_a_few_are_named() -> None:
    slots = [beating(f"default-{number}", 20.0) for number in range(1, 301)]
    told = workers_check(slots, 15.0)["detail"]
    assert told.startswith("0 of 300 ready: default-1 has sent") and told.endswith(", and 295 more")
