"""When schedules tick, through clock changes, restarts and long sleeps."""

from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.shared.domain.schedules import (
    LATE_MS,
    OVERDUE_MS,
    CatchUp,
    ScheduleDefinition,
    due_ticks,
    next_tick_ms,
    overdue_tick_ms,
    problem_of,
    problem_of_timezone,
    ticks_after,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo | None = None) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone or UTC).timestamp() * 1000)


def cron(expression: str, timezone: str = "UTC", catch_up: str = "one") -> ScheduleDefinition:
    return ScheduleDefinition(
        "s", "noop", cron=expression, timezone=timezone, catch_up=CatchUp(catch_up)
    )


def every(seconds: float, catch_up: str = "one") -> ScheduleDefinition:
    return ScheduleDefinition("s", "noop", every_s=seconds, catch_up=CatchUp(catch_up))


def ticks_from(schedule: ScheduleDefinition, start_ms: int, until_ms: int) -> list[int]:
    coming = ticks_after(schedule, start_ms - 1)
    return list(takewhile(lambda tick: tick < until_ms, coming))


def test_cron_ticks_are_those_of_the_zone() -> None:
    berlin = cron("0 9 * * *", "Europe/Berlin")
    assert next_tick_ms(berlin, at("2026-07-01T00:00")) == at("2026-07-01T07:00")
    assert next_tick_ms(berlin, at("2026-12-01T00:00")) == at("2026-12-01T08:00")


def test_a_time_that_comes_twice_in_autumn_fires_once() -> None:
    berlin = cron("30 2 * * *", "Europe/Berlin")
    ticks = list(islice(ticks_after(berlin, at("2026-10-24T12:00")), 2))
    assert len({datetime.fromtimestamp(t / 1000, BERLIN).date() for t in ticks}) == 2


@pytest.mark.parametrize("expression", ["30 2 * * *", "0,20,40 1-4 * * *"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London"])
def test_in_the_hour_that_comes_again_the_ticks_are_those_after_it(
    expression: str, zone: str
) -> None:
    """CronSim, which is given the time without its offset, begins again with the first hour."""
    schedule = cron(expression, zone)
    began, again, end = at("2026-10-25T00:00"), at("2026-10-25T01:00"), at("2026-10-25T03:00")
    of_the_night = ticks_from(schedule, began, end)
    for start in range(again, end, 300_000):
        assert ticks_from(schedule, start, end) == [one for one in of_the_night if one >= start]


def test_a_time_that_spring_skips_fires_at_the_next_real_moment() -> None:
    berlin = cron("30 2 * * *", "Europe/Berlin")
    tick = next_tick_ms(berlin, at("2026-03-28T12:00"))
    assert tick == at("2026-03-29T01:00")


@pytest.mark.parametrize(
    ("expression", "ticks_in_spring", "ticks_in_autumn"),
    [("30 2 * * *", 1, 1), ("*/30 2 * * *", 0, 4), ("30 */2 * * *", 11, 13), ("0 * * * *", 23, 25)],
)
def test_a_minute_or_an_hour_that_begins_with_a_star_follows_the_clock(
    expression: str, ticks_in_spring: int, ticks_in_autumn: int
) -> None:
    schedule = cron(expression, "Europe/Berlin")
    spring = ticks_from(schedule, at("2026-03-29", BERLIN), at("2026-03-30", BERLIN))
    autumn = ticks_from(schedule, at("2026-10-25", BERLIN), at("2026-10-26", BERLIN))
    assert (len(spring), len(autumn)) == (ticks_in_spring, ticks_in_autumn)


def test_every_ticks_on_multiples_of_its_period() -> None:
    assert list(islice(ticks_after(every(10), 25_000), 3)) == [30_000, 40_000, 50_000]
    assert next_tick_ms(every(10), 30_000) == 40_000


@pytest.mark.parametrize(
    ("expression", "every_s", "zone", "problem"),
    [
        ("0 0 30 2 *", None, "UTC", "Bad day-of-month"),
        ("0 25 * * *", None, "UTC", "Bad hour"),
        ("* * *", None, "UTC", "must have five fields"),
        ("0 0 31 2,4 1", None, "Nowhere/Land", "not known"),
        ("0 0 * * *", 5, "UTC", "either cron or every"),
        (None, None, "UTC", "either cron or every"),
        (None, 0.5, "UTC", "at least 1 s"),
    ],
)
def test_what_cannot_fire_is_refused_with_its_reason(
    expression: str | None, every_s: float | None, zone: str, problem: str
) -> None:
    found = problem_of(expression, every_s, zone)
    assert found is not None and problem in found


def test_what_can_fire_has_no_problem() -> None:
    assert problem_of("*/5 * * * MON-FRI", None, "America/New_York") is None
    assert problem_of(None, 60, "UTC") is None


def test_nothing_is_due_before_its_tick() -> None:
    assert due_ticks(every(10), 10_000, 9_999).fire_ms == ()


def test_a_tick_on_time_is_fired_whatever_catch_up_says() -> None:
    for catch_up in CatchUp:
        due = due_ticks(every(10, catch_up), 10_000, 10_001)
        assert due.fire_ms == (10_000,)
        assert due.next_ms == 20_000


def test_missed_ticks_are_fired_as_catch_up_says() -> None:
    now = 10_000_000
    assert due_ticks(every(1_000, "none"), 1_000_000, now + 900_000).fire_ms == ()
    assert due_ticks(every(1_000, "one"), 1_000_000, now).fire_ms == (10_000_000,)
    assert len(due_ticks(every(1_000, "all"), 1_000_000, now).fire_ms) == 10


def test_one_finds_the_newest_tick_after_years_asleep() -> None:
    due = due_ticks(cron("* * * * *"), at("2020-01-01T00:00"), at("2026-11-24T10:00:30"))
    assert due.fire_ms == (at("2026-11-24T10:00"),)
    yearly = due_ticks(cron("0 0 29 2 *"), at("2016-02-29T00:00"), at("2026-11-24T10:00"))
    assert yearly.fire_ms == (at("2024-02-29T00:00"),)


def test_all_catches_up_in_steps() -> None:
    due = due_ticks(every(1, "all"), 1_000, 5_000_000)
    assert (len(due.fire_ms), due.next_ms) == (1_000, 1_001_000)


@given(
    st.sampled_from(["*/7 * * * *", "5 4 * * *", "0 0 1 * *", "30 2 * * *", "0,20,40 1-4 * * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(at("2020-01-01T00:00"), at("2030-01-01T00:00")),
)
def test_ticks_only_move_forward(expression: str, zone: str, after_ms: int) -> None:
    ticks = list(islice(ticks_after(cron(expression, zone), after_ms), 5))
    assert ticks == sorted(set(ticks))
    assert ticks[0] > after_ms


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        ({"cron": "0 3 * * *"}, "At 03:00 every day"),
        ({"cron": "*/10 9-17 * * MON-FRI"}, "Every 10th minute from 09:00 through 17:59 on Monday"),
        ({"cron": "30 4 L * *"}, "At 04:30 on the last day of every month"),
        ({"every_s": 1.0}, "Every second"),
        ({"every_s": 1.5}, "Every 1.5 seconds"),
        ({"every_s": 90.0}, "Every 90 seconds"),
        ({"every_s": 60.0}, "Every minute"),
        ({"every_s": 7_200.0}, "Every 2 hours"),
        ({"every_s": 86_400.0}, "Every day"),
    ],
    ids=str,
)
def test_the_times_of_a_schedule_are_told_in_words(timing: dict[str, Any], words: str) -> None:
    assert ScheduleDefinition("one", "add", **timing).in_words.startswith(words)


def test_a_tick_is_overdue_once_it_is_late_unless_the_schedule_is_paused() -> None:
    assert (OVERDUE_MS, LATE_MS) == (10_000, 60_000)
    for late_ms in (OVERDUE_MS, LATE_MS):
        then_ms = 1_000_000 + late_ms
        assert overdue_tick_ms(1_000_000, then_ms, late_ms, paused=False) is None
        assert overdue_tick_ms(1_000_000, then_ms + 1, late_ms, paused=False) == 1_000_000
        assert overdue_tick_ms(1_000_000, then_ms + 1, late_ms, paused=True) is None
    assert overdue_tick_ms(None, 1_000_000, LATE_MS, paused=False) is None, "it never fires again"


def test_a_city_without_its_continent_is_told_with_it() -> None:
    assert problem_of_timezone("Berlin") == "'Berlin' is not known (did you mean 'Europe/Berlin'?)"
    assert problem_of_timezone("Nowhere") == "'Nowhere' is not known"
    assert problem_of_timezone("Europe/Berlin") is None
