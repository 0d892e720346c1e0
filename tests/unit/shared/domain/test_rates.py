"""A token bucket, and how it is written."""

import pytest

from orpheus.shared.domain.rates import (
    SET_BACK_MS,
    KeyRules,
    Rate,
    full_after,
    opens_ms,
    parse_rate,
    rate_text,
    tokens_now,
    tokens_of,
    wait_for_one_ms,
)


@pytest.mark.parametrize("text", ["1/s", "10/s", "100/m", "7/h", "999999999/d"])
def test_a_rate_is_written_as_in_the_configuration(text: str) -> None:
    n, unit = text.split("/")
    period_s = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]
    rate = Rate(int(n), period_s, burst=3)
    assert rate_text(rate) == text
    assert parse_rate(text, 3) == rate
    assert parse_rate(text) == Rate(int(n), period_s, burst=1)


def test_no_rate_is_written_as_nothing() -> None:
    assert rate_text(None) == ""
    assert parse_rate("") is None


@pytest.mark.parametrize("text", ["10", "10/w", "0/s", "-1/s", "1.5/s", "/s", "1/s/s", "ten/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate(text)


def test_a_bucket_fills_up_to_its_burst() -> None:
    rate = Rate(2, 1, burst=3)
    assert tokens_now(rate, 0, 500) == 1
    assert tokens_now(rate, 0, 60_000) == 3
    assert tokens_now(rate, 1, -5) == 1


def test_the_wait_for_a_token_ends_when_it_is_there() -> None:
    rate = Rate(3, 1, burst=3)
    assert wait_for_one_ms(rate, 1) == 0
    wait_ms = wait_for_one_ms(rate, 0.5)
    assert tokens_now(rate, 0.5, wait_ms) >= 1 > tokens_now(rate, 0.5, wait_ms - 2)


@pytest.mark.parametrize("burst", [1, 3])
@pytest.mark.parametrize("starts", [1, 3, 7, 1_000])
def test_a_bucket_that_is_known_by_when_it_is_full_opens_at_the_millisecond_it_says(
    starts: int, burst: int
) -> None:
    rate, now_ms, full_ms = Rate(starts, 1, burst), 50_000_000, 0.0
    for _ in range(100):
        held = tokens_of(rate, full_ms, now_ms)
        assert 1 <= held <= burst
        full_ms = full_after(rate, full_ms, now_ms, held)
        assert tokens_of(rate, full_ms, now_ms) == 0
        opens = opens_ms(rate, full_ms)
        assert tokens_of(rate, full_ms, opens - 1) == 0
        now_ms = opens
    assert tokens_of(rate, full_ms, now_ms + burst * 1_000) == burst


@pytest.mark.parametrize(
    ("rules", "most"),
    [
        (KeyRules(), None),
        (KeyRules(3), 3),
        (KeyRules(3, Rate(1, 1, 2)), 2),
        (KeyRules(0, Rate(1, 1, 2)), 2),
    ],
    ids=str,
)
def test_an_idle_key_may_start_so_many_at_once(rules: KeyRules, most: int | None) -> None:
    assert rules.most_at_once == most


def test_a_bucket_is_full_if_the_clock_was_set_back_but_not_if_it_was_read_a_moment_ago() -> None:
    rate = Rate(10, 1, burst=3)
    assert tokens_now(rate, 0, -SET_BACK_MS - 1) == 3
    assert tokens_now(rate, 0, -SET_BACK_MS) == 0
    latest_ms = 1_000 + 300 + SET_BACK_MS  # an empty bucket of three is full in 300 ms
    assert tokens_of(rate, latest_ms + 1, 1_000) == 3
    assert tokens_of(rate, latest_ms, 1_000) == 0
    full_ms = full_after(rate, 0, 7_200_000, starts=3)
    assert tokens_of(rate, full_ms, 7_199_000) == 0
    assert tokens_of(rate, full_ms, 3_600_000) == 3
    assert full_after(rate, full_ms, 3_600_000, starts=1) == 3_600_100
