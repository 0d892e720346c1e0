"""The check of programs in /readyz."""

from typing import cast

import pytest

from orpheus.api.routes.health import programs_check
from orpheus.shared.views.workers import Worker

READY = {"state": "ready"}
ENDED = {"state": "down", "ended": True}


def program(fields: dict[str, object]) -> Worker:
    return cast("Worker", {"slot": "web-1", "degraded": False, "ended": False, **fields})


@pytest.mark.parametrize(
    ("slots", "status", "detail"),
    [
        ([READY, {"state": "down"}], "ok", "1 of 2 ready"),
        ([READY, ENDED], "ok", "1 of 1 ready, 1 ended as meant"),
        ([ENDED], "ok", "1 ended as meant"),
        ([READY, {"state": "down", "degraded": True}], "degraded", "1 of 2 ready: web-1 is down"),
    ],
)
def test_programs_that_have_done_their_work_are_not_missed(
    slots: list[dict[str, object]], status: str, detail: str
) -> None:
    check = programs_check([program(one) for one in slots])["programs"]
    assert (check["status"], check["detail"]) == (status, detail)
