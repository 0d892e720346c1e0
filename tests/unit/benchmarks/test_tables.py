"""The tables of a run: nothing is left out that speaks against Orpheus."""

from benchmarks.tables import comparison, functions, goals, losses
from tests.unit.benchmarks.some_results import some_results


def test_a_peer_that_was_not_measured_is_shown_with_the_reason() -> None:
    rows = {cells[0]: cells for cells in comparison(some_results())}
    assert rows["SAQ on Redis"][2] == "not measured: no redis-server"
    assert "dramatiq on Redis" not in rows  # nobody asked for it


def test_where_a_peer_is_better_is_shown() -> None:
    assert losses(some_results())[1:] == [
        ["CPU of all processes while idle, % of a core", "Huey on SQLite", "0.20", "0.30"]
    ]


def test_durable_functions_are_compared_on_the_same_database() -> None:
    found = some_results()
    for subject, steps in (("orpheus", 3_000), ("dbos", 300), ("orpheus-postgresql", 900)):
        found.add("steps", subject, steps)
    found.skipped["absurd"] = "package absurd-sdk not installed"
    assert functions(found)[1:] == [
        ["Orpheus on SQLite", "3,000", "300", "–"],
        ["DBOS on SQLite", "300", "30.0", "10.0"],
        ["Orpheus on PostgreSQL", "900", "90.0", "–"],
        ["Absurd on PostgreSQL", "not measured: package absurd-sdk not installed"],
    ]


def test_goals_say_whether_they_are_met() -> None:
    rows = {cells[0]: cells[1:] for cells in goals(some_results())}
    assert rows["drain ÷ Huey"] == ["10.0 (10.0–24.0)", "≥ 15.0", "not met"]
    assert rows["pick-up, p50, ms"][2] == "met"
    assert rows["POST ÷ bare FastAPI"][2] == "met"
