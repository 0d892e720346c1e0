"""What a run is shown as: the printed report, the README's table, this folder's page, the chart.

The pages have a block between two markers for it, which is written anew from the results file.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import chart, tables
from benchmarks.results import Results
from benchmarks.rows import NOT_COMPARABLE
from benchmarks.tables import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
BEGIN, END = "<!-- benchmarks: begin -->\n", "<!-- benchmarks: end -->"


def report(results: Results) -> str:
    """Return everything that a run has found, as text."""
    return "\n\n".join([about(results), *sections(results, tables.as_text, "")])


def in_full(results: Results) -> str:
    """Return the block of benchmarks/README.md: everything that a run has found."""
    versions = ", ".join(dict.fromkeys(results.versions.values()))
    head = f"{about(results)} Versions: {versions}."
    return "\n\n".join([head, *sections(results, tables.as_markdown, "### ")]) + "\n"


def sections(results: Results, render: Callable[[Table], str], heading: str) -> Iterator[str]:
    """Yield the paragraphs of a report; no table that would have only a head."""
    compared = tables.comparison(results)
    if len(compared) > 1:
        yield render(compared)
    yield from remarks(results)
    for title, table in (
        ("Durable functions of ten steps", tables.functions(results)),
        ("Where a peer is better", tables.losses(results)),
        ("What only Orpheus is measured for", tables.details(results)),
        ("Goals", tables.goals(results)),
    ):
        if len(table) > 1:
            yield f"{heading}{title}"
            yield render(table)
    yield f"{heading}What cannot be compared"
    yield NOT_COMPARABLE.strip()


def pages(results: Results | None) -> dict[Path, str]:
    """Return the files that show these results, each with its whole content; None: none yet."""
    readme, page = ROOT / "README.md", ROOT / "benchmarks" / "README.md"
    found = {
        readme: with_block(readme, summary(results) if results else ""),
        page: with_block(page, in_full(results) if results else ""),
    }
    if results:
        found[ROOT / "docs" / "benchmarks.svg"] = chart.svg(results)
    return found


def publish(results: Results) -> None:
    """Write the pages, and keep the results that they show."""
    results.save(RESULTS)
    for path, text in pages(results).items():
        path.write_text(text, encoding="utf-8")


def with_block(path: Path, block: str) -> str:
    """Return the page with this between its markers."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{path} has no block for the results: {BEGIN}{END}")
    return f"{before}{begin}{block}{end}{after}"


def about(results: Results) -> str:
    """Return what the figures were measured on."""
    of = results.machine
    return (
        f"Measured on {of['date']}: {of['cores']} cores ({of['processor']}), {of['memory']}, "
        f"{of['system']}, Python {of['python']}, SQLite {of['sqlite']}; an fsync takes "
        f"{of['fsync']}, and the load was {of['load']} at the beginning. Medians of up to "
        f"{of['rounds']} rounds, in brackets the least and the largest."
    )


def remarks(results: Results) -> list[str]:
    """Return what else was seen of each system."""
    return [
        f"{tables.TITLES[subject]}: {text}."
        for subject, texts in results.remarks.items()
        for text in texts
    ]


def summary(results: Results) -> str:
    """Return the README's block: the chart, and what was measured where."""
    return (
        "![Jobs per second, and the wait for an idle worker](docs/benchmarks.svg)\n\n"
        f"{about(results)}\n"
    )
