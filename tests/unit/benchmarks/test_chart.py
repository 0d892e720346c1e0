"""The chart: well-formed, small, without a script, with a bar for each system that was measured."""

import xml.etree.ElementTree as ET

from benchmarks.chart import svg
from benchmarks.results import Results
from tests.unit.benchmarks.some_results import some_results

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawn: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(drawn).iter(f"{SVG}text")]


def test_the_fastest_comes_first_with_its_figure() -> None:
    found = texts(svg(some_results()))
    assert [found.index(one) for one in ("Orpheus", "22,000", "Huey on SQLite", "2,000")] == sorted(
        found.index(one) for one in ("Orpheus", "22,000", "Huey on SQLite", "2,000")
    )
    assert "0.80" in found


def test_it_can_be_drawn_of_nothing() -> None:
    assert ET.fromstring(svg(Results())).tag == f"{SVG}svg"
