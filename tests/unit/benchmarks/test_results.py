"""The figures of a run, their ratios, and the goals."""

from pathlib import Path

import pytest

from benchmarks.results import MET, NOT_MEASURED, NOT_MET, Figure, Results
from benchmarks.rows import GOALS, ROWS, Goal

DRAIN_GOAL = Goal("drain ÷ Huey", "drain", 12, versus=("drain", "huey"), at_least=True)


def results(orpheus: list[float], huey: list[float]) -> Results:
    found = Results()
    for subject, values in (("orpheus", orpheus), ("huey", huey)):
        for value in values:
            found.add("drain", subject, value)
    return found


def test_a_figure_is_the_median_with_the_least_and_the_largest() -> None:
    found = results([30.0, 10.0, 20.0], [])
    assert found.figure("drain", "orpheus") == Figure(20.0, 10.0, 30.0)
    assert found.figure("drain", "huey") is None


def test_a_ratio_is_made_of_the_figures_of_the_same_round() -> None:
    found = results([100.0, 40.0, 90.0], [10.0, 2.0])  # the third round had no Huey
    assert found.ratio("drain", "orpheus", ("drain", "huey")) == Figure(15.0, 10.0, 20.0)


@pytest.mark.parametrize(
    ("orpheus", "huey", "verdict"),
    [([24.0], [2.0], MET), ([23.0], [2.0], NOT_MET), ([24.0], [], NOT_MEASURED)],
)
def test_a_goal_is_met_or_not_or_not_measured(
    orpheus: list[float], huey: list[float], verdict: str
) -> None:
    assert results(orpheus, huey).judged(DRAIN_GOAL)[1] == verdict


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    found = results([1.5, 2.5], [1.0])
    found.machine["cores"] = "2"
    found.skipped["saq"] = "no redis-server"
    found.remarks["huey"] = ["1 of 2 jobs did not run"]

    found.save(tmp_path / "results.json")

    assert Results.load(tmp_path / "results.json") == found


def test_every_goal_is_about_a_row() -> None:
    named = {goal.row for goal in GOALS} | {goal.versus[0] for goal in GOALS if goal.versus}
    assert named <= set(ROWS)
