"""Print what a command answers: a table for people, JSON for scripts.

On a terminal rich draws the table, coloured and as wide as the window. In a pipe the columns are
only aligned, one line per row, for grep and awk. Text from jobs is made printable.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import orjson

from orpheus.shared.domain import words
from orpheus.shared.text import printable

_WORDS_BY_STYLE = {
    "green": ("ready", "done", "succeeded"),
    "cyan": ("in_progress", "starting", "draining"),
    "yellow": ("backoff", "killing", "cancelled"),
    "red": ("failed", "crashed", "timed_out", "lost"),
    "bold red": ("fatal", "stuck"),
}
_STYLES = {word: style for style, words in _WORDS_BY_STYLE.items() for word in words}
_BYTES_PER_MIB = 2**20


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their column names; None shows as a dash."""
    cells = [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(columns, cells)
    else:
        _align(columns, cells)


def print_items(
    items: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    row: Callable[[Mapping[str, Any]], Sequence[object]],
    *,
    as_json: bool,
) -> None:
    """Print a list as the API would answer it, or as a table with a row for each item."""
    if as_json:
        print_json({"items": items})
    else:
        print_table(columns, map(row, items))


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one per line, without those that are None."""
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        text = printable(str(value))
        click.echo(f"{name:<{width}}  {click.style(text, fg=_colour(text))}")


def print_block(title: str, text: str) -> None:
    """Print text of several lines, indented under its title."""
    click.echo(f"\n{title}")
    for line in text.splitlines():
        click.echo(f"  {printable(line)}")


def _colour(text: str) -> str | None:
    return _STYLES.get(text, "").removeprefix("bold ") or None


def _align(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    Console().print(table)


def duration(seconds: float | None) -> str | None:
    """Return a span of time in words; None for None."""
    return None if seconds is None else words.duration(seconds)


def since(at_ms: int | None, now_ms: int) -> str | None:
    """Return how long ago a moment was, or how far ahead it is."""
    if at_ms is None:
        return None
    if at_ms > now_ms:
        return f"in {duration((at_ms - now_ms) / 1000)}"
    return f"{duration((now_ms - at_ms) / 1000)} ago"


def mebibytes(size_bytes: int | None) -> str | None:
    """Return a size in MiB."""
    return None if size_bytes is None else f"{size_bytes / _BYTES_PER_MIB:.1f} MiB"


def local_time(moment: str) -> str:
    """Return a moment, as the API tells it, in the time zone of this machine."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"
