"""What the log of a worker tells of its attempts in development."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.echo import JobEcho
from tests.captured_logs import capture_logs


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({"ending": Ending.SUCCEEDED, "result": "7"}, ("info", "done in 3 ms: 7")),
        ({"ending": Ending.SNOOZED}, ("info", "snoozed after 3 ms")),
        (
            {"ending": Ending.FAILED_PERMANENTLY, "error": JobError("ValueError", "no", "trace")},
            ("error", "failed permanently after 3 ms: ValueError: no"),
        ),
    ],
)
def test_an_attempt_is_told_from_its_begin_to_its_end(
    make_lease: Callable[..., Lease], ended: dict[str, Any], told: tuple[str, str]
) -> None:
    lease = make_lease(job_id=5, type="greet", attempt=2)
    attempt, echo = RunningAttempt(lease, 10.0), JobEcho()
    with capture_logs() as entries:
        echo.begin(attempt)
        attempt.job_log().write("hello\n")
        attempt.job_log().add("error", "broken\nTraceback", {"logger": "x"})
        attempt.job_log().warning("late", self="a name of any field", minutes=5)
        attempt.ended_at_s = 10.003
        echo.end(attempt, Finished(lease, **ended))
    assert {entry["said_by"] for entry in entries} == {"greet#5"}
    assert [(entry["log_level"], entry["event"]) for entry in entries] == [
        ("info", "started, attempt 2"),
        ("info", "hello"),
        ("error", 'broken logger="x"'),
        ("warning", 'late self="a name of any field" minutes=5'),
        told,
    ]
    assert entries[2]["exception"] == "Traceback"
    assert entries[-1].get("exception") == (ended["error"].traceback if "error" in ended else None)
