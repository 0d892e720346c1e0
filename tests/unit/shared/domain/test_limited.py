"""Whether a queue does what its rate lets it do, and whether its workers can."""

import pytest

from orpheus.shared.domain.limited import carry, keeps_up, lately_s
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
