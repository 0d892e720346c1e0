"""Whether a queue does what its rate lets it do, and whether its workers can."""

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.at_rate import carry, keeps_up, lately_s
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.rates import Rate

SIX = Rate(6, 60)


@pytest.mark.parametrize(
    ("rate", "within_s", "least"),
    [(SIX, 55, 5), (Rate(60, 60), 10, 9), (Rate(100, 1), 10, 850), (Rate(3, 60), 110, 5)],
)
def test_about_as_many_must_end_as_a_rate_lets_start(
    rate: Rate, within_s: float, least: int
) -> None:
    assert lately_s(rate) == pytest.approx(within_s)
    assert keeps_up(rate, least) and not keeps_up(rate, least - 1)


def test_of_a_slow_rate_it_is_not_known() -> None:
    assert not keeps_up(Rate(1, 60), 5), "not all that ended are known"


def test_workers_carry_a_rate_if_their_places_are_as_many_as_jobs_run_at_once_by_it() -> None:
    assert carry(2, SIX, run_s=20) and not carry(1, SIX, run_s=15)


@pytest.mark.parametrize(("done", "is_at_rate"), [(26, True), (25, False)])
def test_if_more_ended_than_are_counted_the_pace_tells_it(done: int, is_at_rate: bool) -> None:
    pace = Pace(done, ran_s=100.0, within_s=300.0)
    assert keeps_up(SIX, None, pace) is is_at_rate
    assert not keeps_up(SIX, None, replace(pace, is_early=True)) and not keeps_up(SIX, None)
    assert not keeps_up(Rate(1, 60), None, pace), "of a slow rate it is not known"
