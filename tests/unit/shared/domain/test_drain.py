"""Whether the backlog of a queue grows, and how long until it is empty."""

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.drain import (
    MORE_WORKERS,
    DrainLimits,
    drain_s,
    drain_with_more_s,
    growth_per_minute,
    has_turns,
    is_refuted,
    is_starved,
    no_estimate,
)
from orpheus.shared.domain.paces import Pace

BUSY = Pace(done=120, ran_s=240.0, within_s=60.0)
"""Two jobs a second, each of 2 s: four workers."""
FREE = DrainLimits(concurrency=4)


def with_more(pace: Pace | None, bounds: DrainLimits) -> dict[int, float]:
    return dict(drain_with_more_s(600, 0, pace, bounds))


def test_as_it_stands_the_jobs_leave_at_the_rate_of_the_last_minutes() -> None:
    assert drain_s(596, 4, BUSY, FREE) == pytest.approx(300)


def test_each_further_worker_adds_a_job_in_the_time_of_one() -> None:
    assert with_more(BUSY, FREE) == pytest.approx({1: 240, 2: 200, 4: 150, 8: 100})


def test_an_empty_queue_needs_no_time_and_one_of_which_nothing_was_done_is_unknown() -> None:
    assert drain_s(0, 0, None, FREE) == 0
    assert drain_with_more_s(0, 0, BUSY, FREE) == []
    for unknown in (None, Pace(0, 0.0, 60.0)):
        assert drain_s(3, 0, unknown, FREE) is None
        assert with_more(unknown, FREE) == {}


def test_further_workers_help_up_to_the_limits() -> None:
    five_run = DrainLimits(max_running=5, concurrency=4)
    assert with_more(BUSY, five_run) == pytest.approx(dict.fromkeys(MORE_WORKERS, 240))
    starts = DrainLimits(starts_per_s=2.5, concurrency=4)
    assert with_more(BUSY, starts) == pytest.approx(dict.fromkeys(MORE_WORKERS, 240))
    assert drain_s(600, 0, BUSY, starts) == pytest.approx(300), "four workers do two a second"


def test_a_pace_of_a_time_with_little_to_do_does_not_say_how_fast_a_batch_is_done() -> None:
    seldom = Pace(done=20, ran_s=20.0, within_s=300.0)
    for bounds in (FREE, DrainLimits(starts_per_s=1, concurrency=4)):
        assert drain_s(600, 0, seldom, bounds) is None
        assert drain_s(600, 0, replace(seldom, had_backlog=True), bounds) == pytest.approx(9_000)
    assert drain_s(0, 1, replace(seldom, done=60), FREE) == pytest.approx(5), "soon in any case"
    at_its_rate = DrainLimits(starts_per_s=0.1, concurrency=4)
    assert drain_s(600, 0, seldom, at_its_rate) == pytest.approx(9_000)
    one_at_once = DrainLimits(max_running=1, concurrency=4)
    assert drain_s(600, 0, replace(seldom, ran_s=200.0), one_at_once) == pytest.approx(9_000)


def test_a_wait_that_the_pace_explains_shows_that_a_batch_is_done_no_faster() -> None:
    """Eight places are shared with other queues: two jobs a second are done of this one."""
    shared, bounds = Pace(done=600, ran_s=600.0, within_s=300.0), DrainLimits(concurrency=8)
    assert drain_s(60, 2, shared, bounds, waits_s=30) == pytest.approx(31)
    assert drain_s(150, 2, shared, bounds, waits_s=38) == pytest.approx(76)
    for waits_s in (0, 37):
        assert drain_s(150, 2, shared, bounds, waits_s) is None, "a batch has just come"


def test_workers_that_did_less_than_the_rate_while_jobs_waited_have_others_to_serve() -> None:
    """Two workers could do 40 jobs of 50 ms a second, but did two: the others were not of this."""
    bounds = DrainLimits(starts_per_s=12, concurrency=2)
    shared = Pace(done=120, ran_s=6.0, within_s=60.0, had_backlog=True)
    assert drain_s(240, 0, shared, bounds) == pytest.approx(120)
    assert with_more(shared, bounds)[1] == pytest.approx(200)
    at_its_limit = Pace(done=640, ran_s=32.0, within_s=60.0, had_backlog=True)
    assert drain_s(240, 0, at_its_limit, bounds) == pytest.approx(22.5)
    assert with_more(at_its_limit, bounds) == {}


def test_a_queue_that_does_more_than_its_rate_of_a_while_ago_is_bounded_by_the_rate() -> None:
    """The workers of other hosts are not known here, but what they did is."""
    assert drain_s(600, 4, BUSY, DrainLimits(starts_per_s=1)) == pytest.approx(600)


def test_no_worker_helps_where_those_that_are_there_can_run_all_that_may_run() -> None:
    assert with_more(BUSY, DrainLimits(max_running=2, concurrency=2)) == {}
    assert drain_s(600, 0, BUSY, DrainLimits(max_running=2, concurrency=2)) == pytest.approx(300)


def test_what_may_run_at_once_bounds_what_workers_could_do_of_a_rate() -> None:
    """Eight workers could do four jobs a second, but only two may run at once."""
    bounds = DrainLimits(max_running=2, starts_per_s=3, concurrency=8)
    assert drain_s(600, 0, BUSY, bounds) == pytest.approx(300)


def test_the_last_jobs_that_run_have_left_the_rate_behind() -> None:
    assert drain_s(0, 4, BUSY, DrainLimits(starts_per_s=0.001, concurrency=4)) == pytest.approx(2)


def test_jobs_too_short_to_be_counted_take_some_time() -> None:
    pace = Pace(1000, 0.0, 1.0)
    assert dict(drain_with_more_s(1000, 0, pace, DrainLimits()))[1] == pytest.approx(0.5)


def test_a_further_worker_does_no_more_than_each_of_those_that_are_there() -> None:
    """Two workers do five jobs of 1 ms a second: they wait for jobs, or for the database."""
    pace = Pace(300, 0.3, 60.0)
    assert dict(drain_with_more_s(600, 0, pace, DrainLimits(concurrency=2)))[1] == pytest.approx(80)


def test_more_workers_never_take_longer() -> None:
    times = list(with_more(BUSY, FREE).values())
    assert len(times) == len(MORE_WORKERS)
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("came", "ended", "growth"),
    [
        (1_800, 1_200, 600),
        (12, 0, 12),
        (1, 5, -4),
        (3, 0, 3),
        (1_200, 1_250, 0),  # within 5 %
        (10, 13, 0),  # so few vary by as much
        (1, 0, 0),
        (0, 1_200, None),
    ],
)
def test_a_backlog_grows_by_what_came_less_what_ended(
    came: float, ended: float, growth: float | None
) -> None:
    assert growth_per_minute(came, ended, came_for_s=80, silent_s=1) == growth


@pytest.mark.parametrize(
    ("came", "came_for_s", "silent_s", "growth"),
    [
        (1_500, 0.3, 0.2, 1_400),  # it comes
        (1_500, 0.3, 5, None),  # one batch
        (1_500, 60, 10, 1_400),  # a batch now and then
        (1_500, 60, 15, None),
        (110, 60, 40, None),
        (101, 0, 20, None),
    ],
)
def test_after_a_batch_it_grows_no_more(
    came: float, came_for_s: float, silent_s: float, growth: float | None
) -> None:
    assert growth_per_minute(came, 100, came_for_s, silent_s) == growth


def test_jobs_that_come_seldom_may_be_silent_for_long() -> None:
    assert growth_per_minute(came=3, ended=0, came_for_s=60, silent_s=50) == 3


@pytest.mark.parametrize(
    ("taken_s", "ended", "starved"), [(0.2, 9, False), (5, 9, True), (0.2, 0, True)]
)
def test_a_queue_is_starved_if_no_place_became_free_or_none_of_its_jobs_ended(
    taken_s: float, ended: float, starved: bool
) -> None:
    assert is_starved(taken_s, ended) is starved


@pytest.mark.parametrize(
    ("idle_s", "per_minute", "starved"),
    [(4.9, 60, False), (5, 60, True), (39, 3, False), (40, 3, True), (5, 0, True)],
)
def test_a_queue_of_which_none_ran_in_the_time_of_two_turns_is_starved(
    idle_s: float, per_minute: int, starved: bool
) -> None:
    pace = Pace(per_minute, 1.0, 60.0)
    assert is_starved(0.2, 9, idle_s, pace) is starved


@pytest.mark.parametrize(
    ("waits_s", "idle_s", "turns"),
    [(60, 0, True), (90, 30, True), (90, 31, False), (300, 119, True), (300, 120, False)],
)
def test_a_queue_is_served_by_turns_if_it_was_for_a_minute_before_a_silence_of_two_at_most(
    waits_s: float, idle_s: float, turns: bool
) -> None:
    assert has_turns(waits_s, idle_s) is turns


def test_who_waits_for_longer_than_an_estimate_refutes_it_but_not_within_moments() -> None:
    assert is_refuted(20, quiet_s=21) and not is_refuted(20, quiet_s=20)
    assert is_refuted(0.1, quiet_s=6) and not is_refuted(0.1, quiet_s=5)


@pytest.mark.parametrize(
    ("pace", "quiet_s", "ended", "said"),
    [
        (None, None, 0, "no estimate yet"),
        (None, 4, 0, "no estimate yet"),
        (replace(BUSY, is_early=True), 50, 120, "no estimate yet"),
        (BUSY, 59.7, 2, "no estimate: none has ended for 59 s"),
        (None, 119.9, 0, "no estimate: none has ended for 1 min 59 s"),
        (None, 120, 0, "no estimate: none has ended for over 2 min"),
        (None, 0.5, 3, "no estimate: none was done lately"),
        (BUSY, None, 2, "no estimate yet"),
        (replace(BUSY, is_early=True), 120, 2, "no estimate: none has ended for over 2 min"),
    ],
)
def test_whether_one_need_only_wait_for_an_estimate_is_told(
    pace: Pace | None, quiet_s: float | None, ended: float, said: str
) -> None:
    assert no_estimate(pace, quiet_s, ended) == said
