"""Fit a table into the width of a terminal: no line is ever wrapped.

If the columns are too wide together, those that say nothing go first, then those that matter least.
A column comes back if there is room for it after all. The rest of the width is shared among the
columns that may be shortened, the longest of which is cut most; a wide terminal shows them whole. A
number is never cut: part of one is another number. Names are cut in the middle:
`billing.invoices.send` and `billing.invoices.print` differ at their ends.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

GAP = "  "
_CUT = "…"
_NUMBER_AND_SPACE = re.compile(r"[0-9]\s+$")
_NAME_OF_PARTS = re.compile(r"([0-9]+ )?[A-Za-z_]\w*([.-]\w+)+", re.ASCII)
"""A type, a queue or a slot; before it perhaps the id of a job."""


class Column(msgspec.Struct, frozen=True):
    """A column: the one with the highest `rank` is left out first, one with 0 only at the end.

    With `least`, it may be shortened to so many characters. But to leave it `enough`, columns of a
    higher rank are left out, and others get no more than they need. `enough` may depend on the
    text of a cell: how much of it is needed. A column whose cells are all `usual` says nothing.
    """

    name: str
    rank: int = 0
    least: int | None = None
    enough: int | Callable[[str], int] | None = None
    usual: str = "0"

    def says_something(self, cells: Iterable[str]) -> bool:
        """Return whether one of these cells is worth its room."""
        return not {*cells} <= {"-", "", self.usual}

    def widths(self, cells: Sequence[str]) -> "_Widths":
        """Return how wide it may be with these cells, its name among them."""
        natural = max(map(cells_wide, cells))
        if self.least is None:
            return _Widths(natural, natural, natural)
        least = min(natural, max(self.least, len(self.name)))
        if callable(self.enough):
            enough = max(_with_mark(cell, self.enough(cell)) for cell in cells)
        else:
            enough = min(natural, self.enough or 0)
        return _Widths(natural, least, max(least, enough))


class _Widths(NamedTuple):
    """The widths of a column: of its widest cell, the least it may have, and what is enough."""

    natural: int
    least: int
    enough: int


def _with_mark(cell: str, enough: int) -> int:
    """Return the width of a cell of which `enough` characters are shown, with the mark of a cut."""
    return min(cells_wide(cell), enough + len(" " + _CUT))


Columns = Sequence[Column | str]
"""A column that is only a name is never left out, and never shortened."""


def fields_of(columns: Columns, row: Iterable[object]) -> dict[str, object]:
    """Return the cells of a row by the names of their columns, in small letters."""
    return dict(zip(names_of(columns), row, strict=True))


def names_of(columns: Columns) -> list[str]:
    """Return the names of columns, in small letters."""
    return [one.name.lower() for one in _known(columns)]


def _known(columns: Columns) -> list[Column]:
    return [Column(one) if isinstance(one, str) else one for one in columns]


def fitted(
    columns: Columns, rows: Sequence[Sequence[str]], width: int | None
) -> list[tuple[str, ...]]:
    """Return the names and the rows, each cell padded or cut to the width of its column.

    Without a `width`, all columns are there, as wide as their widest cell.
    """
    known = _known(columns)
    table = [tuple(one.name for one in known), *map(tuple, rows)]
    sizes = [one.widths(cells) for one, *cells in zip(known, *table, strict=True)]
    if width is None:
        widths = {n: size.natural for n, size in enumerate(sizes)}
    else:
        empty = {
            n for n, one in enumerate(known) if not one.says_something(row[n] for row in table[1:])
        }
        widths = _shared_out(known, sizes, empty, width)
    return [tuple(_sized(row[n], width) for n, width in widths.items()) for row in table]


def _shared_out(
    columns: Sequence[Column], sizes: Sequence[_Widths], empty: set[int], width: int
) -> dict[int, int]:
    """Return the columns that are shown, by number, and the width of each."""
    shown = {n: size.least for n, size in enumerate(sizes)}
    by_loss = sorted(shown, key=lambda n: (n in empty, columns[n].rank, n), reverse=True)
    for n in by_loss:
        enough = {m: sizes[m].enough for m in shown}
        if n in empty:  # left out rather than cut the first column
            enough[0] = sizes[0].natural
        if _total(enough | {n: sizes[n].least}) <= width:  # shortened rather than left out
            break
        if columns[n].rank:
            del shown[n]
    for n in reversed(by_loss):  # one left out later may have made room
        whole = {m: sizes[m].natural for m in (*shown, n)}
        if n not in shown and n not in empty and _total(whole) <= width:
            shown[n] = sizes[n].least
    shown = dict(sorted(shown.items()))
    while _total(shown) > width and len(shown) > 1:  # the widest, but not the first
        del shown[max(list(shown)[1:], key=lambda n: (shown[n], n))]
    for n in sorted(shown, key=lambda n: columns[n].rank):
        shown[n] += max(0, min(sizes[n].enough - shown[n], width - _total(shown)))
    if len(shown) == 1:
        return {n: min(sizes[n].natural, width) for n in shown}
    return _grown(shown, [one.natural for one in sizes], width)


def _grown(widths: dict[int, int], wanted: Sequence[int], width: int) -> dict[int, int]:
    """Share out what is left of the width: no column is cut while a wider one keeps its width."""
    grown = widths
    for most in range(1, width + 1):
        wider = {n: max(one, min(wanted[n], most)) for n, one in widths.items()}
        if _total(wider) > width:
            break
        grown = wider
    return grown


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)


def left_out(
    columns: Columns, rows: Sequence[Sequence[str]], shown: Sequence[str]
) -> tuple[str, ...]:
    """Return the columns with something to say that are not among those `shown`."""
    return tuple(
        one.name
        for n, one in enumerate(_known(columns))
        if one.name not in shown and one.says_something(row[n] for row in rows)
    )


def _sized(text: str, width: int) -> str:
    """Return the text padded or cut to so many cells."""
    if cells_wide(text) > width:
        text = (
            _shortened_name(text, width)
            if _NAME_OF_PARTS.fullmatch(text)
            else shortened(text, width)
        )
    return text + " " * (width - cells_wide(text))


def _shortened_name(name: str, width: int) -> str:
    """Return the start and the end of a name, more of its end, with a mark for the part between."""
    id, _, _ = name.rpartition(" ")
    head = max(len(id) + 1 if id else 0, (width - 1) // 3)
    tail = width - 1 - head
    if tail < 1:
        return shortened(name, width)
    begin, end = name[:head], name[len(name) - tail :]
    if name[len(name) - tail - 1].isdecimal():
        end = end.lstrip("0123456789")
    return begin.rstrip("0123456789") + _CUT + end


def shortened(text: str, width: int) -> str:
    """Return the beginning of a text, with a mark for what is left out."""
    if cells_wide(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells_wide(kept + character + _CUT) > width:
            break
        kept += character
    whole = kept.rstrip("0123456789").rstrip()
    return (kept if _NUMBER_AND_SPACE.search(kept) else whole) + _CUT


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines, broken at spaces and indented after the first; no word is cut."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if not lines[-1] or cells_wide(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(GAP + word)
    return lines


def cells_wide(text: str) -> int:
    """Return how many cells of a terminal a text fills."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
