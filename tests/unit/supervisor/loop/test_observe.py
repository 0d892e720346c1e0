"""The messages of a child, added to what was observed of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.supervisor.loop.observe import add_message
from orpheus.supervisor.policy.slot import Observation, ObservedJob

BEAT: dict[str, Any] = {
    "say": "beat",
    "beat": 3,
    "loop": 2,
    "job": None,
    "jobs_done": 1,
    "database_ok": True,
}
JOB = {"id": 5, "type": "sleep", "elapsed_s": 1.0, "hard_deadline_in_s": 4.0}


def test_ready_is_remembered() -> None:
    seen = add_message(add_message(Observation("incarnation"), {"say": "ready"}), BEAT)
    assert seen == Observation("incarnation", ready=True, beat=3, loop=2, jobs_done=1)


def test_the_last_beat_counts() -> None:
    seen = add_message(
        add_message(Observation("incarnation"), {**BEAT, "job": JOB}), {**BEAT, "beat": 4}
    )
    assert (seen.beat, seen.job) == (4, None)


@pytest.mark.parametrize(("left_s", "overdue"), [(4.0, False), (0.1, False), (0, True), (-3, True)])
def test_a_job_past_its_hard_deadline_is_seen(left_s: float, overdue: bool) -> None:
    seen = add_message(
        Observation("incarnation"), {**BEAT, "job": {**JOB, "hard_deadline_in_s": left_s}}
    )
    assert seen.job == ObservedJob(5, "sleep", overdue)


def test_a_request_to_be_replaced_includes_how_many_jobs_were_done() -> None:
    request = {"say": "recycle", "reason": "max_jobs", "jobs_done": 5}
    assert add_message(Observation("incarnation"), request) == Observation(
        "incarnation", recycle="max_jobs", jobs_done=5
    )


def test_reasons_are_kept() -> None:
    seen = add_message(Observation("incarnation"), {"say": "recycle", "reason": "time-out"})
    assert add_message(seen, {"say": "failed", "reason": "import"}) == Observation(
        "incarnation", recycle="time-out", failed="import"
    )
    traced = {"say": "failed", "reason": "import", "evidence": f"{'x' * 10_000}no_such_module"}
    evidence = add_message(seen, traced).evidence
    assert evidence is not None
    assert (len(evidence), evidence[-14:]) == (8192, "no_such_module"), "the end says most"


@given(
    st.dictionaries(
        st.sampled_from(["say", "beat", "loop", "job", "reason"]),
        st.one_of(
            st.none(),
            st.integers(),
            st.sampled_from(["beat", "ready", "recycle", "x"]),
            st.just({}),
            st.integers(),
            st.sampled_from(["beat", "ready", "recycle", "x"]),
            st.just({}),
        ),
    )
)
def test_no_message_can_make_it_fail(message: dict[str, Any]) -> None:
    assert add_message(Observation("incarnation"), message).incarnation == "incarnation"
