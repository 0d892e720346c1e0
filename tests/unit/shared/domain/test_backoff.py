"""How long a retry waits."""

from hypothesis import given
from hypothesis import strategies as st

from orpheus.shared.domain.backoff import BackoffOfType, BackoffRules, backoff_delay_ms

PLAIN = BackoffRules(base_s=1, factor=2, max_s=600, jitter=0)


def test_waits_double_from_the_base() -> None:
    assert [backoff_delay_ms(n, PLAIN, 0.5) for n in (1, 2, 3, 4)] == [1000, 2000, 4000, 8000]


def test_what_a_type_does_not_say_is_as_the_configuration_says() -> None:
    rules = BackoffRules(base_s=5, jitter=0.2)
    assert BackoffOfType(factor=3).over(rules) == BackoffRules(base_s=5, factor=3, jitter=0.2)


def test_waits_stop_growing_at_the_maximum() -> None:
    assert backoff_delay_ms(11, PLAIN, 0.5) == 600_000


def test_a_huge_count_does_not_overflow() -> None:
    assert backoff_delay_ms(10**9, BackoffRules(factor=1e300, jitter=0), 0.5) == 600_000


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_part(failures: int, uniform: float) -> None:
    rules = BackoffRules(base_s=1, factor=2, max_s=600, jitter=0.1)
    plain = backoff_delay_ms(failures, PLAIN, 0)
    assert plain * 0.9 - 1 <= backoff_delay_ms(failures, rules, uniform) <= plain * 1.1 + 1


@given(st.integers(1, 8), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_each_wait_is_longer_than_the_one_before(n: int, first: float, second: float) -> None:
    rules = BackoffRules()
    assert backoff_delay_ms(n, rules, first) < backoff_delay_ms(n + 1, rules, second)
