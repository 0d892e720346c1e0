"""The checks of slots in /readyz."""

from typing import Any

import pytest

from orpheus.api.routes.health import slots_check, workers_check
from orpheus.shared.domain.processes import SlotState, is_silent
from orpheus.shared.messages.http import Check
from orpheus.shared.messages.workers import Worker
from tests.explained import worker

DEAD_AFTER_S = 15.0


def beating(slot: str, age_s: float | None = 0.5, **fields: Any) -> Worker:
    silent = is_silent(SlotState.READY, age_s, DEAD_AFTER_S)
    fields = {"state": SlotState.READY, "heartbeat_age_s": age_s, "silent": silent, **fields}
    return worker(slot, **fields)


@pytest.mark.parametrize(
    ("slots", "status", "detail"),
    [
        ([beating("a-1")], "ok", "1 of 1 ready"),
        ([beating("a-1"), beating("a-2", 9.0)], "degraded", "1 of 2 ready: a-2 is silent"),
        ([beating("a-1", 9.0)], "degraded", "0 of 1 ready: a-1 is silent"),
        ([beating("a-1", degraded=True)], "degraded", "1 of 1 ready: a-1 is degraded"),
        ([beating("a-1", 15.0)], "failed", "0 of 1 ready: a-1 is silent"),
        ([beating("a-1", state=SlotState.FATAL)], "failed", "0 of 1 ready: a-1 is fatal"),
        ([], "failed", "0 of 0 ready"),
    ],
)
def test_workers_fail_the_check_only_if_none_is_ready(
    slots: list[Worker], status: str, detail: str
) -> None:
    check = workers_check(slots, DEAD_AFTER_S)
    assert (check.status, check.detail) == (status, detail)


def test_a_few_are_named_with_their_hosts_if_there_are_several() -> None:
    slots = [beating(f"a-{n}", 9.0) for n in range(9)]
    assert slots_check(slots).detail.endswith("a-4 is silent, …")
    check = slots_check([beating("a-1"), beating("a-1", 9.0, host="eve")])
    assert check == Check("degraded", "1 of 2 ready: a-1 on eve is silent")
