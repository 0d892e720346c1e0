"""What a run is shown as: the pages are what the results say."""

from pathlib import Path

from benchmarks import publish
from benchmarks.results import Results
from tests.unit.benchmarks.some_results import some_results


def test_the_pages_are_what_the_results_file_says() -> None:
    results = Results.load(publish.RESULTS) if publish.RESULTS.exists() else None
    for path, text in publish.pages(results).items():
        assert path.read_text(encoding="utf-8") == text, f"python -m benchmarks --publish: {path}"


def test_only_the_block_between_the_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{publish.BEGIN}old\n{publish.END}\nafter\n")
    assert publish.with_block(page, "new\n") == (
        f"before\n{publish.BEGIN}new\n{publish.END}\nafter\n"
    )


def test_the_report_and_the_page_have_everything() -> None:
    for text in (publish.report(some_results()), publish.in_full(some_results())):
        assert "not measured: no redis-server" in text
        assert "Huey on SQLite: 1 of 5,000 jobs ran more than once." in text
        assert "drain ÷ Huey" in text
        assert "power loss" in text
