"""Fit a table into the width of a terminal: no line is ever wrapped.

If the columns are too wide together, those that say nothing go first, then those that matter least.
What is left of the width is shared among the columns that may be shortened: the longest is cut,
and a wide terminal shows them whole.
"""

import unicodedata
from collections.abc import Sequence

from orpheus.shared.records import dataclass

GAP = "  "
_NOTHING = frozenset({"-", "", "0"})
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: with the highest `rank` it is left out first, with 0 never.

    With `least`, it may be shortened to so many characters, but if it has not `enough`, columns
    with a rank are left out, and others get no more than they need.
    """

    name: str
    rank: int = 0
    least: int | None = None
    enough: int | None = None


Columns = Sequence[Column | str]
"""A column that is only a name is never left out, and never shortened."""


def fitted(
    columns: Columns, rows: Sequence[Sequence[str]], width: int | None
) -> list[tuple[str, ...]]:
    """Return the names and the rows, each cell padded or cut to the width of its column.

    Without a `width`, all columns are there, as wide as their widest cell.
    """
    known = [Column(one) if isinstance(one, str) else one for one in columns]
    table = [tuple(one.name for one in known), *map(tuple, rows)]
    natural = [max(map(cells_wide, column)) for column in zip(*table, strict=True)]
    if width is None:
        widths = dict(enumerate(natural))
    else:
        empty = {n for n in range(len(known)) if {row[n] for row in table[1:]} <= _NOTHING}
        widths = _shared_out(known, natural, empty, width)
    return [tuple(_sized(row[n], width) for n, width in widths.items()) for row in table]


def _shared_out(
    columns: Sequence[Column], natural: Sequence[int], empty: set[int], width: int
) -> dict[int, int]:
    """Return the columns that are shown, by number, and the width of each."""
    least = {
        n: natural[n] if one.least is None else min(natural[n], max(one.least, len(one.name)))
        for n, one in enumerate(columns)
    }
    enough = {n: min(natural[n], columns[n].enough or width) for n, width in least.items()}
    by_loss = sorted(least, key=lambda n: (n in empty, columns[n].rank, n), reverse=True)
    for n in by_loss:
        if _total({n: enough[n] for n in least}) <= width:
            break
        if columns[n].rank:
            del least[n]
    for n in sorted(least, key=lambda n: columns[n].rank):
        least[n] += max(0, min(enough[n] - least[n], width - _total(least)))
    least = _grown(least, natural, width)
    for n in sorted(least, reverse=True):  # it may be still too wide, with a very narrow terminal
        least[n] = max(1, least[n] - max(0, _total(least) - width))
    return least


def _grown(widths: dict[int, int], natural: Sequence[int], width: int) -> dict[int, int]:
    """Share out what is left of the width: no column is cut for one that is wider than it."""
    grown = widths
    for most in range(1, width + 1):
        wider = {n: max(one, min(natural[n], most)) for n, one in widths.items()}
        if _total(wider) > width:
            break
        grown = wider
    return grown


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)


def _sized(text: str, width: int) -> str:
    """Return the text padded or cut to so many cells."""
    if cells_wide(text) > width:
        text = shortened(text, width)
    return text + " " * (width - cells_wide(text))


def shortened(text: str, width: int) -> str:
    """Return the beginning of a text, with a mark for what is left out."""
    if cells_wide(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells_wide(kept + character + _CUT) > width:
            break
        kept += character
    return kept.rstrip() + _CUT


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines, broken at spaces and indented after the first; a long word is cut."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if not lines[-1] or cells_wide(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(GAP + word)
    return [shortened(line, width) for line in lines]


def cells_wide(text: str) -> int:
    """Return how many cells of a terminal a text fills."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
