"""Print what a command answers: a table for people, JSON for scripts.

On a terminal a table is coloured (unless `NO_COLOR` is set, or `TERM` is `dumb`) and fits into the
window: columns are left out or cut, and stderr names those that are missing. A pipe gets all of the
columns, one line per row, for grep and awk; long text is cut as on 200 columns, and `--json` has it
whole. Text from jobs is made printable.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import click
import msgspec

from orpheus.shared.domain import words
from orpheus.shared.messages.audit import By
from orpheus.shared.messages.encoding import encode
from orpheus.shared.storage import Pause
from orpheus.shared.text import printable

_GAP = "  "
_COLOURS = {
    "green": ("ready", "done", "succeeded"),
    "cyan": ("in_progress", "starting", "draining"),
    "yellow": ("backoff", "killing", "cancelled", "paused", "quarantined"),
    "red": ("failed", "crashed", "timed_out", "lost", "fatal", "stuck"),
}
_COLOUR_OF = {word: colour for colour, words in _COLOURS.items() for word in words}
_BYTES_PER_MIB = 2**20
_PIPE_COLUMNS = 200


class Column(NamedTuple):
    """A column of a table. Where the terminal is narrow, the highest `rank` is left out first."""

    name: str
    rank: int = 0
    """0: it is never left out."""
    least: int | None = None
    """It may be cut to this many characters; None: it is never cut."""


Columns = Sequence[Column | str]
"""A column that is only a name is never left out or cut."""


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Drop what is printed after the reader has left (`orpheus … | head -1`)."""
    try:
        yield
    except BrokenPipeError:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:  # or the flush at the exit would fail, too
                with Path(os.devnull).open("wb") as nowhere:
                    os.dup2(nowhere.fileno(), stream.fileno())


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(msgspec.json.format(encode(value), indent=2))


def warn(text: str) -> None:
    """Print a warning on stderr; the command goes on."""
    click.echo(f"orpheus: warning: {text}", err=True)


def print_table(columns: Columns, rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their column names; None shows as a dash."""
    known = [Column(column) if isinstance(column, str) else column for column in columns]
    cells = [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if not cells and sys.stdout.isatty():
        click.echo("none")
        return
    widths = _widths(known, cells)
    names = [column.name for column in known]
    for row in (names, *cells):
        line = [_styled_cell(row[n], width, is_name=row is names) for n, width in widths.items()]
        click.echo(_GAP.join(line).rstrip())
    missing = [column.name for n, column in enumerate(known) if n not in widths]
    if missing:
        click.echo(f"no room for {', '.join(missing)}", err=True)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> dict[int, int]:
    """Return the width of each column that is shown, by its number."""
    widths = {
        n: max(len(row[n]) for row in ([c.name for c in columns], *rows))
        for n in range(len(columns))
    }
    is_pipe = not sys.stdout.isatty()
    room = _PIPE_COLUMNS if is_pipe else terminal_size().columns
    least = {
        n: width if column.least is None else min(width, max(column.least, len(column.name)))
        for (n, width), column in zip(widths.items(), columns, strict=True)
    }

    def total(sizes: Mapping[int, int]) -> int:
        return sum(sizes[n] + len(_GAP) for n in widths) - len(_GAP)

    for n in sorted(widths, key=lambda n: columns[n].rank, reverse=True):
        if total(least) > room and columns[n].rank and not is_pipe:
            del widths[n]
    while total(widths) > room:
        widest = max(widths, key=lambda n: widths[n] if widths[n] > least[n] else 0)
        if widths[widest] == least[widest]:
            break
        widths[widest] -= 1
    return widths


def _styled_cell(text: str, width: int, *, is_name: bool) -> str:
    shown = text if len(text) <= width else text[: width - 1] + "…"
    style = {"bold": True} if is_name else _style_of(text)
    return styled(f"{shown:<{width}}", **style)


def _style_of(word: str) -> dict[str, Any]:
    return {"fg": _COLOUR_OF[word]} if word in _COLOUR_OF else {}


def say_none(noun: str) -> None:
    """Say on stderr that nothing matches: the table in a pipe is only its header line."""
    if not sys.stdout.isatty():
        click.echo(f"no {noun} matches", err=True)


def print_items(
    items: Sequence[Any],
    columns: Columns,
    rows: Iterable[Sequence[object]],
    *,
    as_json: bool,
) -> None:
    """Print a list as the API would answer it, or as a table with a row for each item."""
    if as_json:
        print_json({"items": items})
    else:
        print_table(columns, rows)


def fields_of(columns: Columns, row: Iterable[object]) -> dict[str, object]:
    """Return the cells of a row by the names of their columns, in small letters."""
    names = [column if isinstance(column, str) else column.name for column in columns]
    return {name.lower(): cell for name, cell in zip(names, row, strict=True)}


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values, one per line, without those that are None."""
    shown = {name: printable(str(value)) for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        click.echo(f"{name:<{width}}{_GAP}{styled(value, **_style_of(value))}")


def print_block(title: str, text: str) -> None:
    """Print text of several lines, indented under its title."""
    click.echo(f"\n{title}")
    for line in text.splitlines():
        click.echo(f"  {printable(line)}")


def styled(text: str, **style: Any) -> str:
    """Return the text in colours, unless `NO_COLOR` is set or no terminal shows them."""
    if not style or os.environ.get("NO_COLOR") or not sys.stdout.isatty() or is_dumb():
        return text
    return click.style(text, **style)


def is_dumb() -> bool:
    """Return whether the terminal prints escapes raw: a serial console, a shell in an editor."""
    return os.environ.get("TERM") == "dumb"


def terminal_size() -> os.terminal_size:
    """Return the size of the terminal: `$COLUMNS` and `$LINES`, else what it says itself."""
    return shutil.get_terminal_size()


def duration(seconds: float | None) -> str | None:
    """Return a span of time in words; None for None."""
    return None if seconds is None else words.duration(seconds)


Moment = datetime | str | int
"""A time as a message has it, as RFC 3339, or in milliseconds since 1970."""


def _local(moment: Moment) -> datetime:
    if isinstance(moment, int):
        return datetime.fromtimestamp(moment / 1000).astimezone()
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.astimezone()


def ago(moment: Moment | None) -> str | None:
    """Return how long ago a moment was, or how far ahead it is; the time itself in a pipe."""
    if moment is None or not sys.stdout.isatty():
        return None if moment is None else local_time(moment)
    seconds = time.time() - _local(moment).timestamp()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def when(moment: Moment | None) -> str | None:
    """Return a moment with how long ago it was: `2026-11-28 08:43:42 (8 min ago)`."""
    if moment is None or not sys.stdout.isatty():
        return ago(moment)
    return f"{local_time(moment)} ({ago(moment)})"


def local_time(moment: Moment) -> str:
    """Return a moment in the time zone of this machine."""
    return _in_form(_local(moment), "%Y-%m-%d %H:%M:%S")


def line_time(moment: Moment) -> str:
    """Return when a line of a log was written."""
    at = _local(moment)
    if not sys.stdout.isatty():
        return at.isoformat(timespec="milliseconds")
    return f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def time_in(moment: Moment, zone: str) -> str:
    """Return a moment in a time zone, with that zone's short name."""
    return _in_form(_local(moment).astimezone(ZoneInfo(zone)), "%Y-%m-%d %H:%M:%S %Z")


def _in_form(at: datetime, form: str) -> str:
    """Return a time in a form for people; in a pipe as RFC 3339."""
    return f"{at:{form}}" if sys.stdout.isatty() else at.isoformat(timespec="seconds")


def paused_by(pause: By | None, otherwise: str | None = None) -> str | None:
    """Return who paused a queue or a schedule, why and when; `otherwise` if no operator did."""
    if pause is None or pause.by is None:
        return otherwise
    at = ago(pause.at)
    return f"{pause.by}: {pause.reason} ({at})" if pause.reason else f"{pause.by} {at}"


def already_paused(standing: Pause, reason: str | None) -> str:
    """Return who had paused something already, when and why, and the new reason."""
    by = f" by {standing.by}" if standing.by else ""
    since = f" since {local_time(standing.at_ms)}" if standing.at_ms else ""
    why = f": {standing.reason}" if standing.reason else ""
    now = f"; the reason is now: {reason}" if reason and reason != standing.reason else ""
    return f"already paused{by}{since}{why}{now}"


def count(n: int | None) -> str | None:
    """Return a count, on a terminal with separators: `12,000`; None for None."""
    return None if n is None else f"{n:,}" if sys.stdout.isatty() else str(n)


def mebibytes(size_bytes: int | None) -> str | None:
    """Return a size in MiB."""
    return None if size_bytes is None else f"{size_bytes / _BYTES_PER_MIB:.1f} MiB"
