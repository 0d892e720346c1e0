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


@pytest.mark.parametrize(("left_s", "overdue"), [(4.0, False), (0.1, False), (0, True), (-3, True)])
def test_a_job_past_its_hard_deadline_is_seen(left_s: float, overdue: bool) -> None:
    seen = add_message(
        Observation("incarnation"), {**BEAT, "job": {**JOB, "hard_deadline_in_s": left_s}}
    )
    assert seen.job == ObservedJob(5, "sleep", overdue)


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
