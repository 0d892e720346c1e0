"""A token bucket, and how it is written."""

import pytest

from shared.rates import Rate, rate_text, tokens_now, wait_for_one_ms


@pytest.mark.parametrize("text", ["1/s", "10/s", "100/m", "7/h", "999999999/d"])
def test_a_rate_is_written_as_in_the_configuration(text: str) -> None:
    n, unit = text.split("/")
    period_s = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]
    assert rate_text(Rate(per_s=int(n) / period_s, burst=int(n))) == text


def test_no_rate_is_written_as_nothing() -> None:
    assert rate_text(None) == ""


def test_a_bucket_fills_up_to_its_burst() -> None:
    rate = Rate(per_s=2, burst=3)
    assert tokens_now(rate, 0, 500) == 1
    assert tokens_now(rate, 0, 60_000) == 3
    assert tokens_now(rate, 1, -5) == 1


def test_the_wait_for_a_token_ends_when_it_is_there() -> None:
    rate = Rate(per_s=3, burst=3)
    assert wait_for_one_ms(rate, 1) == 0
    wait_ms = wait_for_one_ms(rate, 0.5)
    assert tokens_now(rate, 0.5, wait_ms) >= 1 > tokens_now(rate, 0.5, wait_ms - 2)
