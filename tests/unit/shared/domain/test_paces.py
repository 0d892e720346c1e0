"""The pace of a queue: of the time in which it could run, and known only if it is not far off."""

from collections.abc import Sequence

import pytest

from orpheus.shared.domain.paces import DoneInMinute, Pace, pace_of

MINUTE_MS = 60_000
START_MS = 100 * MINUTE_MS


def minutes_of(ended_ms: Sequence[int], run_ms: int) -> list[DoneInMinute]:
    minutes = [at_ms // MINUTE_MS for at_ms in ended_ms]
    return [
        DoneInMinute(m, minutes.count(m), minutes.count(m) * run_ms) for m in sorted({*minutes})
    ]


def pace(done: dict[int, int], now: float, opened: float = 0, waits: float = 0) -> Pace:
    """Of this many done in each minute, each of a second. All times are in minutes."""
    rows = [DoneInMinute(minute, n, n * 1000) for minute, n in sorted(done.items())]
    return pace_of(rows, round(now * MINUTE_MS), round(opened * MINUTE_MS), waits * 60)


@pytest.mark.parametrize(
    ("done", "now", "opened", "waits", "known"),
    [
        # It runs all the time.
        ({100: 30, 101: 30, 102: 30}, 103, 0, 0, 30.0),
        ({100: 30, 101: 30, 102: 15}, 102.5, 0, 0, 30.0),
        # Too early: no whole minute has passed since the one of the first.
        ({100: 30}, 101.9, 0, 0, None),
        ({100: 1, 101: 30}, 102, 0, 0, 30.0),
        # Too few.
        ({100: 1, 101: 1, 102: 1}, 103, 0, 0, None),
        ({100: 1, 101: 1, 102: 1, 103: 1}, 104, 0, 0, 1.0),
        # The first waited all the time, so of the first minute when it began is known.
        ({100: 30, 101: 30}, 102, 0, 2, 30.0),
        ({100: 30, 101: 30}, 102, 0, 1.5, 30.0),
        ({100: 30, 101: 6}, 101.2, 0, 1.1, None),
        # A batch came while there was little to do: the time before it does not count.
        ({100: 1, 101: 1, 102: 1, 103: 1, 104: 60, 105: 60}, 106, 0, 2, 60.0),
        # A pause of four minutes: nothing is known until a whole minute later.
        ({100: 2, 101: 1, 105: 1}, 105.9, 105.1, 10, None),
        ({100: 2, 101: 1, 105: 1, 106: 2}, 107, 105.1, 10, None),
        ({100: 2, 101: 1, 105: 1, 106: 2, 107: 1}, 108, 105.1, 10, 1.5),
        ({100: 30, 105: 20, 106: 30}, 107, 105.1, 10, 30.0),
        # An hour of it: nothing before is known.
        ({160: 5, 161: 30}, 162, 160.1, 200, 30.0),
        # A worker was replaced: no minute without any, so it was no stop.
        ({100: 2, 101: 2, 102: 2, 103: 2}, 104, 103.1, 10, 8 / 10),
        # A stop that nobody tells of, of a queue of many jobs: a minute in which none was done.
        ({100: 30, 103: 20, 104: 30}, 105, 0, 10, 30.0),
        # Its workers were made at once, but took four minutes until they could run jobs.
        ({100: 30, 101: 5, 105: 1, 106: 20}, 106.9, 101.2, 10, None),
        ({100: 30, 101: 5, 105: 1, 106: 30, 107: 30}, 108, 101.2, 10, 30.0),
        ({100: 6, 105: 1, 106: 6}, 107, 102.1, 10, 6.0),
        # A crash loop: done were those before it, and its worker is up again for a second.
        ({100: 20}, 104.1, 104.09, 5, None),
        # Long ago of few, five minutes of many.
        ({90: 4, 94: 4, 98: 4, 102: 4}, 103, 0, 20, 15 / 15),
        ({90: 90, **dict.fromkeys(range(91, 103), 10)}, 103, 0, 20, 10.0),
    ],
)
def test_a_pace_is_of_whole_minutes_in_which_the_queue_could_run(
    done: dict[int, int], now: float, opened: float, waits: float, known: float | None
) -> None:
    found = pace(done, now, opened, waits)
    assert found.is_early is (known is None)
    if known is not None:
        assert found.per_s * 60 == pytest.approx(known, rel=0.1)


def test_a_worker_that_is_replaced_between_two_long_jobs_is_no_stop() -> None:
    """Each takes three minutes; a worker was replaced at once after the second had ended."""
    rows = [DoneInMinute(minute, 1, 180_000) for minute in (100, 103, 106, 109)]
    for opened in (103.05, 103.95, 104.05):
        found = pace_of(rows, 110 * MINUTE_MS, round(opened * MINUTE_MS), 1_200)
        assert (found.done, found.is_early) == (4, False)


@pytest.mark.parametrize("run_s", [0.5, 5, 20, 40, 60, 120, 200])
@pytest.mark.parametrize("stopped_s", [0, 50, 130, 240, 2_000])
@pytest.mark.parametrize("places", [1, 3])
def test_with_a_backlog_the_pace_is_never_far_off_and_does_not_jump(
    run_s: float, stopped_s: int, places: int
) -> None:
    """Ten minutes, a stop (a pause, or an outage) of so long, and 20 minutes."""
    run_ms, stop_ms = round(run_s * 1000), START_MS + 607_000
    opened_ms = stop_ms + stopped_s * 1000
    times = [*range(START_MS + run_ms, stop_ms, run_ms)]
    times += range(opened_ms + run_ms, opened_ms + 1_200_000, run_ms)
    before: float | None = None
    for now_ms in range(opened_ms, opened_ms + 1_200_000, 5_000):
        since_ms = (now_ms // MINUTE_MS - 15) * MINUTE_MS
        ended = [at_ms for at_ms in times if since_ms <= at_ms <= now_ms for _ in range(places)]
        rows = minutes_of(ended, run_ms)
        waits_s = (now_ms - START_MS) / 1000
        found = pace_of(rows, now_ms, opened_ms if stopped_s else 0, waits_s) if rows else None
        known = None if found is None or found.is_early else found.per_s * run_s / places
        if known is not None:
            assert 0.5 < known < 1.8, f"{known} at {(now_ms - opened_ms) / 1000} s"
            assert before is None or 0.6 < known / before < (1.6 if places == 1 else 2.1)
        before = known
    assert before == pytest.approx(1, rel=0.35), "it is known in the end"
