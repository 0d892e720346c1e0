"""When what is done together is due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.shared.process.clock import next_multiple_s


@given(st.floats(0, 1e7), st.sampled_from([0.05, 0.2, 1.0, 2.0, 5.0]))
def test_all_that_ask_between_two_multiples_get_the_same_one(now_s: float, every_s: float) -> None:
    due_s = next_multiple_s(now_s, every_s)
    assert now_s - 1e-6 < due_s < now_s + every_s + 1e-6
    assert next_multiple_s(due_s - every_s / 2, every_s) == pytest.approx(due_s)
