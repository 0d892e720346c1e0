"""What a converter returns: entries for orpheus.toml, and what could not be carried over."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, NamedTuple

from orpheus.shared.records import dataclass


class FileLine(NamedTuple):
    """A line of a file; `line` counts from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that is read. `folder`: the absolute folder that it is in, "" if it is in none."""

    name: str
    text: str
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """Something that is not carried over, or not exactly as it was.

    `what` is the text of the file, `why` a sentence, `instead` what a person can do about it.
    """

    position: FileLine
    what: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.instead}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of an array in orpheus.toml, such as `[[programs]]`.

    `original` is its text in the file. `positions` are all lines that it was made of.
    """

    table: str
    values: Mapping[str, Any]
    original: str = ""
    positions: tuple[FileLine, ...] = ()
    comments: tuple[str, ...] = ()
    left: tuple[Left, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """Everything that became of a file, in the file's order; `differences` apply to all entries."""

    items: list[Entry | Left] = field(default_factory=list)
    differences: tuple[str, ...] = ()

    def entries(self) -> Iterator[Entry]:
        """Yield the entries for orpheus.toml."""
        return (item for item in self.items if isinstance(item, Entry))

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return their values by their tables: what parsing the TOML gives."""
        tables: dict[str, list[dict[str, Any]]] = {}
        for entry in self.entries():
            tables.setdefault(entry.table, []).append(dict(entry.values))
        return tables

    def left(self) -> Iterator[tuple[Left, str | None]]:
        """Yield what was not carried over, each with the name of the entry that it belongs to."""
        for item in self.items:
            if isinstance(item, Left):
                yield item, None
            else:
                yield from ((left, str(item.values["name"])) for left in item.left)
