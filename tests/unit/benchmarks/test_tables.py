"""The tables of a run: nothing is left out that speaks against Orpheus."""

import pytest

from benchmarks.results import Figure
from benchmarks.tables import (
    as_markdown,
    as_text,
    comparison,
    details,
    goals,
    losses,
    number,
    spread,
)
from tests.unit.benchmarks.some_results import some_results


@pytest.mark.parametrize(
    ("value", "text"), [(12_345.6, "12,346"), (12.34, "12.3"), (0.123, "0.12"), (0.0, "0.00")]
)
def test_a_number_has_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


def test_a_figure_of_several_rounds_has_its_range() -> None:
    assert spread(Figure(2.0, 1.0, 3.0)) == "2.00 (1.00–3.00)"
    assert spread(Figure(2.0, 2.0, 2.0)) == "2.00"


def test_systems_stand_side_by_side_with_their_durability_and_ratio() -> None:
    rows = {cells[0]: cells[1:] for cells in comparison(some_results())}
    assert rows["Huey on SQLite"][:3] == ["yes", "2,000 (1,000–2,200)", "10.0 (10.0–24.0)"]
    assert rows["Celery on Redis"][0] == "no"
    assert rows["Ceiling: bare SQLite, 64 at a time"][2] == "0.55 (0.50–0.60)"


def test_a_peer_that_was_not_measured_is_shown_with_the_reason() -> None:
    rows = {cells[0]: cells for cells in comparison(some_results())}
    assert rows["SAQ on Redis"][2] == "not measured: no redis-server"
    assert "dramatiq on Redis" not in rows  # nobody asked for it


def test_where_a_peer_is_better_is_shown() -> None:
    assert losses(some_results())[1:] == [
        ["CPU of all processes while idle, % of a core", "Huey on SQLite", "0.20", "0.30"]
    ]


def test_goals_say_whether_they_are_met() -> None:
    rows = {cells[0]: cells[1:] for cells in goals(some_results())}
    assert rows["drain ÷ Huey"] == ["10.0 (10.0–24.0)", "≥ 12.0", "not met"]
    assert rows["drain ÷ Celery"][2] == "met"
    assert rows["POST, jobs/s"][2] == "met"


def test_what_only_orpheus_has_is_shown_apart() -> None:
    assert [cells[0] for cells in details(some_results())[1:]] == ["POST /jobs on 32 connections"]


def test_text_is_aligned_and_a_row_that_ends_early_does_not_widen_it() -> None:
    table = [["a", "b", "c"], ["1", "2", "3"], ["4", "a long reason"]]
    assert as_text(table) == "a  b  c\n1  2  3\n4  a long reason"


def test_markdown_has_a_cell_for_each_column() -> None:
    assert as_markdown([["a", "b"], ["1"]]) == "| a | b |\n| --- | --- |\n| 1 |  |"
