"""The tables of a run, as cells, and how they are printed: as text or as Markdown. Pure."""

from collections.abc import Sequence

from benchmarks.catalog import ALONE, CEILING, ENTRIES, FUNCTIONS, ON_POSTGRESQL, ORPHEUS
from benchmarks.effects import STEPS
from benchmarks.results import NOT_MEASURED, Figure, Results
from benchmarks.rows import COMPARED, GOALS, SINGLE, row

Table = list[list[str]]
"""The head, then the rows."""

TITLES = {
    **{entry.name: entry.title for entry in (*FUNCTIONS, *ENTRIES)},
    CEILING: "Ceiling: bare SQLite, 64 at a time",
    SINGLE: "Ceiling, one at a time",
}
DURABLE = {
    **{entry.name: entry.durable for entry in ENTRIES}, CEILING: "yes", SINGLE: "yes",
}  # fmt: skip


def number(value: float) -> str:
    """Return three digits that matter, and no more."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(figure: Figure) -> str:
    """Return the median with the least and the largest."""
    if figure.low == figure.high:
        return number(figure.median)
    return f"{number(figure.median)} ({number(figure.low)}–{number(figure.high)})"


def comparison(results: Results) -> Table:
    """Return Orpheus and its peers side by side."""
    head = [
        "system", "durable", "drain, jobs/s", "Orpheus ÷ it", "submit one by one · many, /s",
        "pick-up p50 · p99, ms", "after 8 s idle, ms", "idle CPU, %", "worker, MB",
    ]  # fmt: skip
    return [
        head,
        *(_compared(results, subject) for subject in DURABLE if _is_known(results, subject)),
    ]


def _is_known(results: Results, subject: str) -> bool:
    return subject in results.skipped or any(results.values(name, subject) for name in COMPARED)


def _compared(results: Results, subject: str) -> list[str]:
    def cell(name: str) -> str:
        figure = results.figure(name, subject)
        return number(figure.median) if figure else "–"

    def pair(one: str, other: str) -> str:
        cells = cell(one), cell(other)
        return "–" if cells == ("–", "–") else " · ".join(cells)

    drain = results.figure("drain", subject)
    if drain is None and subject in results.skipped:
        return [TITLES[subject], DURABLE[subject], f"{NOT_MEASURED}: {results.skipped[subject]}"]
    mine = ALONE if subject == SINGLE else ORPHEUS
    ratio = results.ratio("drain", mine, ("drain", subject)) if subject != mine else None
    return [
        TITLES[subject],
        DURABLE[subject],
        spread(drain) if drain else "–",
        spread(ratio) if ratio else "–",
        pair("submit_one", "submit_many"),
        pair("pick_up_p50", "pick_up_p99"),
        cell("rested_pick_up"),
        cell("idle_cpu"),
        cell("worker_rss"),
    ]


def losses(results: Results) -> Table:
    """Return where a peer is better than Orpheus."""
    table = [["measure", "better than Orpheus", "its figure", "Orpheus"]]
    for name in COMPARED:
        mine = results.figure(name, ORPHEUS)
        for entry in ENTRIES:
            other = results.figure(name, entry.name)
            if mine is None or other is None or entry.module == "orpheus":
                continue
            is_better = (
                other.median > mine.median
                if row(name).more_is_better
                else other.median < mine.median
            )
            if is_better:
                title = f"{row(name).title}, {row(name).unit}"
                table.append([title, entry.title, spread(other), spread(mine)])
    return table


def functions(results: Results) -> Table:
    """Return the systems with durable functions side by side, each database for itself."""
    table = [["system", "steps/s", "functions/s", "Orpheus ÷ it"]]
    for entry in FUNCTIONS:
        figure = results.figure("steps", entry.name)
        mine = ON_POSTGRESQL if entry.server else ORPHEUS
        ratio = results.ratio("steps", mine, ("steps", entry.name))
        if figure is not None:
            cells = [entry.title, spread(figure), number(figure.median / STEPS)]
            is_peer = entry.name != mine and ratio is not None
            table.append([*cells, spread(ratio) if ratio and is_peer else "–"])
        elif entry.name in results.skipped:
            table.append([entry.title, f"{NOT_MEASURED}: {results.skipped[entry.name]}"])
    return table


def goals(results: Results) -> Table:
    """Return each goal with what was measured."""
    table = [["goal", "measured", "bound", ""]]
    for goal in GOALS:
        figure, verdict = results.judged(goal)
        if figure is not None:
            sign = "≥" if goal.at_least else "≤"
            table.append([goal.title, spread(figure), f"{sign} {number(goal.bound)}", verdict])
    return table


def details(results: Results) -> Table:
    """Return every row that only Orpheus has."""
    table = [["measure", "Orpheus", "unit"]]
    for name in results.figures:
        figure = results.figure(name, ORPHEUS) or results.figure(name, ON_POSTGRESQL)
        if figure is not None and name not in (*COMPARED, "steps"):
            table.append([row(name).title, spread(figure), row(name).unit])
    return table


def as_text(table: Table) -> str:
    """Return the table with aligned columns.

    A row that ends early says in its last cell what is missing: it does not widen the columns.
    """
    whole = [cells for cells in table if len(cells) == len(table[0])]
    widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)).rstrip()
        for cells in table
    )


def as_markdown(table: Table) -> str:
    head, *rows = table
    width = len(head)
    lines = [head, ["---"] * width, *([*cells, *[""] * (width - len(cells))] for cells in rows)]
    return "\n".join(_line(cells) for cells in lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
