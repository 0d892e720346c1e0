"""A token bucket, and how it is written."""

import pytest

from orpheus.shared.domain.rates import Rate, parse_rate, rate_text, tokens_now, wait_for_one_ms


@pytest.mark.parametrize("text", ["1/s", "10/s", "100/m", "7/h", "999999999/d"])
def test_a_rate_is_written_as_in_the_configuration(text: str) -> None:
    n, unit = text.split("/")
    period_s = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]
    rate = Rate(per_s=int(n) / period_s, burst=int(n))
    assert rate_text(rate) == text
    assert parse_rate(text) == rate


def test_no_rate_is_written_as_nothing() -> None:
    assert rate_text(None) == ""
    assert parse_rate("") is None


@pytest.mark.parametrize("text", ["10", "10/w", "0/s", "-1/s", "1.5/s", "/s", "1/s/s", "ten/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)


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
