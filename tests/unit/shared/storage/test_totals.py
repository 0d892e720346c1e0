"""Percentiles are interpolated in the buckets of a histogram."""

import random
from bisect import bisect_left
from itertools import pairwise

import pytest

from orpheus.shared.storage.totals import (
    BOUNDS_S,
    BOUNDS_US,
    Distribution,
    MeasuredAttempt,
    figures_of,
    rows_of,
)


def runs_of(*ran_ms: int) -> Distribution:
    attempts = [MeasuredAttempt("q", "t", "succeeded", 0, n) for n in ran_ms]
    (figures,) = figures_of(row[1:] for row in rows_of(attempts))
    return figures.runs


def test_without_times_there_is_no_percentile() -> None:
    assert Distribution().percentile_s(0.5) is None
    assert (Distribution().n, Distribution().sum_s) == (0, 0)


def test_a_percentile_is_never_more_than_the_longest_time() -> None:
    assert runs_of(300).percentile_s(0.5) == pytest.approx(0.3, rel=0.25)
    assert runs_of(*[300] * 100).percentile_s(0.99) == pytest.approx(0.3, rel=0.25)
    assert runs_of(0, 0, 0).percentile_s(0.95) == 0


def test_times_beyond_the_last_bound_count_too() -> None:
    days = runs_of(3 * 86_400_000, 1000)
    assert days.percentile_s(0.5) == pytest.approx(1.0)
    assert days.percentile_s(1) == pytest.approx(3 * 86_400)


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99])
def test_a_percentile_is_in_the_bucket_of_the_true_one(part: float) -> None:
    chance = random.Random(3)
    for _ in range(50):
        times = sorted(round(chance.lognormvariate(6, 2)) for _ in range(chance.randint(1, 400)))
        true_us = times[max(0, -(-len(times) * int(part * 100) // 100) - 1)] * 1000
        found = runs_of(*times).percentile_s(part)
        assert found is not None
        index = bisect_left(BOUNDS_US, true_us)
        lower_us = BOUNDS_US[index - 1] if index else 0
        assert lower_us <= found * 1_000_000 <= [*BOUNDS_US, float("inf")][index]


def test_each_bucket_is_a_part_of_one_that_all_types_share() -> None:
    assert {round(bound_s * 1_000_000) for bound_s in BOUNDS_S} <= set(BOUNDS_US)
    assert all(after / before <= 1.28 for before, after in pairwise(BOUNDS_US))


def test_rows_of_several_commits_add_up() -> None:
    attempts = [
        MeasuredAttempt("q", "t", "failed", 5, 700, 20_000, 9_000),
        MeasuredAttempt("q", "u", "lost", 1, 1),
    ]
    rows = rows_of(attempts)
    assert rows_of(attempts * 2) != rows
    added = [(*row[1:5], 2 * row[5], 2 * row[6], row[7]) for row in rows]
    assert figures_of(row[1:] for row in rows_of(attempts * 2)) == figures_of(added)
    t, u = figures_of(row[1:] for row in rows)
    assert t.cpu.sum_s == pytest.approx(0.02)
    assert (t.peak_bytes, u.cpu.n, u.peak_bytes) == (9000, 0, None)
