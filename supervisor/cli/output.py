"""Print what a command answers: a table for people, JSON for scripts.

On a terminal a table is coloured (unless `NO_COLOR` is set, or `TERM` is `dumb`) and fits into the
window: columns are shortened or left out (table.py), and a last line names those. In a pipe all
columns are there, whole and only aligned, one line per row, for grep and awk. Text from jobs is
made printable.
"""

import contextlib
import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import msgspec

from orpheus.shared.domain import words
from orpheus.shared.messages.encoding import encode
from orpheus.shared.text import printable
from orpheus.supervisor.cli.given import as_called
from orpheus.supervisor.cli.table import (
    GAP,
    Columns,
    cells_wide,
    fitted,
    left_out,
    shortened,
    wrapped,
)

_WORDS_BY_COLOUR = {
    "green": ("ready", "done", "succeeded"),
    "cyan": ("in_progress", "starting", "draining"),
    "yellow": ("backoff", "killing", "cancelled", "paused", "quarantined"),
    "red": ("failed", "crashed", "timed_out", "lost", "fatal", "stuck"),
}
_BOLD = frozenset({"fatal", "stuck"})
_STYLES: dict[str, dict[str, Any]] = {
    word: {"fg": colour, **({"bold": True} if word in _BOLD else {})}
    for colour, words in _WORDS_BY_COLOUR.items()
    for word in words
}
_USUAL_SIZE = os.terminal_size((80, 24))
_BYTES_PER_MIB = 2**20


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """Print as long as somebody reads (`orpheus … | head -1`); what comes after goes nowhere."""
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


def print_table(
    columns: Columns,
    rows: Iterable[Sequence[object]],
    *,
    names_left_out: bool = True,
    all_of_one: str = "",
) -> None:
    """Print rows under their column names; None shows as a dash.

    On a terminal, the columns without room are named below, on stderr; if something was cut, also
    `all_of_one`, the command that shows all of a row. A table that is part of a larger answer has
    no such line.
    """
    cells = [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    width = width_of_terminal()
    if width and not cells:
        click.echo("none")
        return
    names, *lines = fitted(columns, cells, width)
    click.echo(styled(GAP.join(names).rstrip(), bold=True))
    for line in lines:
        *most, last = (styled(cell, **_STYLES.get(cell.rstrip(), {})) for cell in line)
        click.echo(GAP.join((*most, last.rstrip())).rstrip())
    missing = left_out(columns, cells, [name.rstrip() for name in names])
    told = [f"left out at this width: {', '.join(missing)}"] if missing else []
    if all_of_one and (missing or any("…" in cell for line in lines for cell in line)):
        told.append(f"`{as_called(all_of_one)}` shows all of one")
    if width and names_left_out and told:
        click.echo("\n".join(wrapped("; ".join(told), width)), err=True)


def say_none(noun: str) -> None:
    """Say on stderr that nothing matches: the table in a pipe is only its header line."""
    if not sys.stdout.isatty():
        click.echo(f"no {noun} matches", err=True)


def print_items(
    items: Sequence[Mapping[str, Any]],
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


def print_fields(
    fields: Mapping[str, object],
    line_width: int | None = None,
    *,
    cuts: bool = True,
    wraps: Collection[str] = (),
) -> None:
    """Print names and values, one per line, without those that are None.

    With a `line_width`, values are shortened so that no line is wider, or without `cuts` wrapped.
    On a terminal, the values that `wraps` names are wrapped, too.
    """
    shown = {name: value for name, value in fields.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        text = printable(str(value))
        if line_width is not None:
            room = line_width - width - len(GAP)
            text = shortened(text, room) if cuts else _in_lines(text, room, width)
        elif name in wraps and sys.stdout.isatty():
            text = _in_lines(text, terminal_width() - width - len(GAP), width)
        before = name if text.startswith("\n") else f"{name:<{width}}{GAP}"
        click.echo(f"{before}{styled(text, **_STYLES.get(text, {}))}")


def _in_lines(text: str, room: int, indent: int) -> str:
    """Return a value in lines: beside its name, or below it if one of its words needs more room.

    A word is never cut: a URL must stay whole to be copied.
    """
    lines, before = wrapped(text, room), " " * indent + GAP
    if max(map(cells_wide, lines)) > room:
        lines, before = ["", *wrapped(text, room + indent)], GAP
    return f"\n{before}".join(lines)


def print_whole(fields: Mapping[str, object]) -> None:
    """Print all that is known of one thing; nothing is cut."""
    print_fields(fields, width_of_terminal(), cuts=False)


def print_block(title: str, text: str) -> None:
    """Print text of several lines, indented under its title."""
    click.echo(f"\n{title}")
    for line in text.splitlines():
        click.echo(f"  {printable(line)}")


def styled(text: str, **style: Any) -> str:
    """Return the text in colours, unless `NO_COLOR` is set or nobody sees them."""
    if not style or os.environ.get("NO_COLOR") or not sys.stdout.isatty() or is_dumb():
        return text
    return click.style(text, **style)


def is_dumb() -> bool:
    """Return whether the terminal prints escapes raw: a serial console, a shell in an editor."""
    return os.environ.get("TERM") == "dumb"


def terminal_width() -> int:
    """Return the width of the terminal: `$COLUMNS`, else what it says itself, else 80."""
    return _size_of_terminal("COLUMNS").columns


def width_of_terminal() -> int | None:
    """Return the width that lines must keep to; None in a pipe, where they may be of any."""
    return terminal_width() if sys.stdout.isatty() else None


def terminal_height() -> int:
    """Return the height of the terminal: `$LINES`, else what it says itself, else 24."""
    return _size_of_terminal("LINES").lines


def _size_of_terminal(variable: str) -> os.terminal_size:
    told = os.environ.get(variable, "")
    if told.isdecimal() and int(told) > 0:
        return os.terminal_size((int(told), int(told)))
    try:
        size = os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    except (OSError, ValueError):
        return _USUAL_SIZE
    return size if size.columns > 0 else _USUAL_SIZE


def duration(seconds: float | None) -> str | None:
    """Return a span of time in words; None for None."""
    return None if seconds is None else words.duration(seconds)


def since(at_ms: int | None, now_ms: int) -> str | None:
    """Return how long ago a moment was, or how far ahead it is; the time itself in a pipe."""
    if at_ms is None:
        return None
    if not sys.stdout.isatty():
        return _local(at_ms).isoformat(timespec="seconds")
    if at_ms > now_ms:
        return f"in {duration((at_ms - now_ms) / 1000)}"
    return f"{duration((now_ms - at_ms) / 1000)} ago"


def when(at_ms: int | None, now_ms: int) -> str | None:
    """Return the same with the time beside it: `8 min ago (2026-11-28 08:43:42)`."""
    told = since(at_ms, now_ms)
    if at_ms is None or not sys.stdout.isatty():
        return told
    return f"{told} ({_local(at_ms):%Y-%m-%d %H:%M:%S})"


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000).astimezone()


def ago(moment: str) -> str | None:
    """Return how long ago a moment was, as the API tells it; the time itself in a pipe."""
    at_ms = int(datetime.fromisoformat(moment).timestamp() * 1000)
    return since(at_ms, time.time_ns() // 1_000_000)


def roughly_ago(moment: str) -> str | None:
    """Return the same in one unit: `2 h ago` in place of `2 h 5 min ago`."""
    told = ago(moment)
    if told is None or not told.endswith(" ago"):
        return told
    number, unit, *_ = told.split()
    return f"{number} {unit} ago"


def paused_by(pause: Mapping[str, Any] | None, otherwise: str | None = None) -> str | None:
    """Return who paused a queue or a schedule, why and when; `otherwise` if no operator did.

    The reason first: a narrow terminal cuts what comes last.
    """
    if pause is None or pause["by"] is None:
        return otherwise
    at = ago(pause["at"])
    return f"{pause['by']}: {pause['reason']} ({at})" if pause["reason"] else f"{pause['by']} {at}"


def tell_pause(
    what: str, item: Mapping[str, Any], already: Mapping[str, Any] | None, *, as_json: bool
) -> None:
    """Print that something is paused, and who had paused it already."""
    if as_json:
        print_json({**item, "already_paused": already})
    elif already is None:
        click.echo(f"{what}: paused")
    else:
        who = paused_by(already)
        by = f" by {printable(who)}" if who else ""
        stays = already["at"] == (item["pause"] or already)["at"]
        said = f"already paused{by}" if stays else f"paused; it was paused{by}" if by else "paused"
        click.echo(f"{what}: {said}")


def mebibytes(size_bytes: int | None) -> str | None:
    """Return a size in MiB."""
    return None if size_bytes is None else f"{size_bytes / _BYTES_PER_MIB:.1f} MiB"


def local_time(moment: str) -> str:
    """Return a moment, as the API tells it, in the time zone of this machine."""
    return _in_form(datetime.fromisoformat(moment).astimezone(), "%Y-%m-%d %H:%M:%S")


def short_time(moment: str) -> str:
    """Return the same, shortened on a terminal: `12:00:07` if it is today, else `01-31 12:00`."""
    at, now = datetime.fromisoformat(moment).astimezone(), datetime.now().astimezone()
    if not sys.stdout.isatty() or at.year != now.year:
        return local_time(moment)
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"


def line_time(at_ms: int, now: datetime | None = None) -> str:
    """Return when a line of a log was written: on a terminal with its day if that is not today."""
    at, now = _local(at_ms), now or datetime.now().astimezone()
    if not sys.stdout.isatty():
        return at.isoformat(timespec="milliseconds")
    day = "" if at.date() == now.date() else "%m-%d " if at.year == now.year else "%Y-%m-%d "
    return f"{at:{day}%H:%M:%S}.{at_ms % 1000:03}"


def time_in(moment: str, zone: str, *, to_the_second: bool = False) -> str:
    """Return a moment, as the API tells it, in a time zone, with that zone's short name."""
    at = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    return _in_form(at, f"%Y-%m-%d %H:%M{':%S' if at.second or to_the_second else ''} %Z")


def _in_form(at: datetime, form: str) -> str:
    """Return a time in a form for people, or in a pipe in the form that all tables have there."""
    return f"{at:{form}}" if sys.stdout.isatty() else at.isoformat(timespec="seconds")
