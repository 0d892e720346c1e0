"""The chart: well-formed, small, without a script, with a bar for each system that was measured."""

import xml.etree.ElementTree as ET

from benchmarks.chart import across, svg
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


def test_bars_have_the_ratio_of_the_figures() -> None:
    bars = ET.fromstring(svg(some_results())).iter(f"{SVG}rect")
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert len(widths) == 3  # no ceiling, and nothing that was not measured
    assert round(widths[0] / widths[1]) == 11


def test_it_follows_the_readers_colours_and_has_no_script() -> None:
    drawn = svg(some_results())
    assert "prefers-color-scheme: dark" in drawn
    assert "script" not in drawn
    assert len(drawn) < 10_000


def test_it_can_be_read_aloud() -> None:
    assert (
        "Orpheus 22,000; Huey on SQLite 2,000"
        in ET.fromstring(svg(some_results())).attrib["aria-label"]
    )


def test_a_wait_beyond_the_scale_stays_on_it() -> None:
    assert across(0.001) == across(0.3) < across(1) < across(2_000) == across(60_000)


def test_it_can_be_drawn_of_nothing() -> None:
    assert ET.fromstring(svg(Results())).tag == f"{SVG}svg"
