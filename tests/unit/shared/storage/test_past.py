"""Figures of the past are added up exactly; their percentiles are near the true ones."""

import random

import pytest

from orpheus.shared.storage.past import (
    MOST_FIGURES,
    Figures,
    figures_of_text,
    figures_of_totals,
    merged,
    percentile_s,
    points_of,
    text_of,
)
from orpheus.shared.storage.totals import MeasuredAttempt, rows_of


def figures_of(*runs_ms: int, queue: str = "q") -> Figures:
    attempts = [MeasuredAttempt(queue, "t", "succeeded", ms, ms) for ms in runs_ms]
    return figures_of_totals(rows_of(attempts))[queue, "t"]


def test_parts_added_in_any_order_are_the_whole() -> None:
    chance = random.Random(4)
    for _ in range(30):
        times = [round(chance.lognormvariate(5, 3)) for _ in range(chance.randint(1, 60))]
        whole = figures_of(*times)
        cut = chance.randint(0, len(times))
        parts = [figures_of(*part) for part in (times[cut:], times[:cut]) if part]
        sums: list[Figures] = []
        for part in parts:
            sums = merged(sums, {("q", "t"): part})
        (found,) = figures_of_text(text_of(sums))
        assert (found.ran_ms, [*found.runs], [*found.waits]) == (
            sum(times),
            [*whole.runs],
            [*whole.waits],
        )


@pytest.mark.parametrize("part", [0.5, 0.95])
def test_a_percentile_is_wrong_by_less_than_its_bucket(part: float) -> None:
    chance = random.Random(5)
    for _ in range(50):
        times = sorted(
            1 + round(chance.lognormvariate(6, 1.5)) for _ in range(chance.randint(1, 300))
        )
        true_s = times[max(1, -(-len(times) * int(part * 100) // 100)) - 1] / 1000
        found = percentile_s(figures_of(*times).runs, part)
        assert found is not None
        assert true_s / 1.61 <= found <= true_s * 1.61


def test_times_without_end_and_no_times() -> None:
    assert percentile_s((), 0.5) is None
    assert percentile_s(figures_of(9 * 86_400_000).runs, 0.5) == pytest.approx(63_000)


def test_queues_beyond_the_bound_are_counted_together() -> None:
    many = {(f"q{n}", "t"): Figures(f"q{n}", "t", submitted=1) for n in range(MOST_FIGURES + 20)}
    found = merged([], many)
    assert len(found) == MOST_FIGURES + 1
    assert found[-1] == Figures("", "t", submitted=20)
    again = merged(found, many)
    assert len(again) == MOST_FIGURES + 1 and again[-1].submitted == 40


def test_points_are_by_name_and_step() -> None:
    rows = [
        (60, text_of([Figures("a", "t", 1), Figures("b", "t", 2)])),
        (120, text_of([Figures("a", "u", 4)])),
    ]
    by_type = points_of(rows, 120, "type", None)
    assert {
        name: {at: f.submitted for at, f in steps.items()} for name, steps in by_type.items()
    } == {
        "t": {0: 3},
        "u": {120: 4},
    }
    assert points_of(rows, 60, "queue", "b").keys() == {"b"}


@pytest.mark.parametrize("text", ["", "[]", "AAAA", "x"])
def test_damaged_figures_are_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        figures_of_text(text)
