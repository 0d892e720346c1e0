"""What a converter returns: entries for orpheus.toml and the lines that it did not carry over."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from orpheus.shared.text import printable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class SourceFile(Struct, frozen=True):
    """A file to convert. `folder` is the absolute folder that contains it."""

    name: str
    text: str
    folder: str = ""


class Left(Struct, frozen=True):
    """A line that was not carried over, or only in part. `where` is its file and line."""

    where: str
    line: str
    why: str = ""

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"{self.where}: not carried over: {self.line}{why}"


class Entry(Struct, frozen=True):
    """A table of orpheus.toml, such as one of `[[programs]]`, and the line that it was made of."""

    table: str
    values: Mapping[str, Any]
    line: str = ""


class Imported(Struct, frozen=True):
    """The entries and the lines that were left, in the order of the file.

    `notes` are differences that apply to all entries.
    """

    items: list[Entry | Left]
    notes: tuple[str, ...] = ()

    def left(self) -> list[Left]:
        """Return the lines that were not carried over."""
        return [item for item in self.items if isinstance(item, Left)]

    def tables(self) -> dict[str, list[Mapping[str, Any]]]:
        """Return the values of the entries by table: what parsing the TOML gives."""
        tables: dict[str, list[Mapping[str, Any]]] = {}
        for item in self.items:
            if isinstance(item, Entry):
                tables.setdefault(item.table, []).append(item.values)
        return tables

    def to_toml(self, file: str) -> str:
        """Return the entries as TOML, with their lines and what was left as comments."""
        text = "".join(map(_comment, (f"Made of {file} by orpheus import.", *self.notes)))
        gap = "\n"
        for item in self.items:
            if isinstance(item, Left):
                text += gap + _comment(str(item))
                gap = ""
            else:
                text += f"\n{_comment(item.line) if item.line else ''}{''.join(_lines(item))}"
                gap = "\n"
        if tomllib.loads(text) != self.tables():
            raise AssertionError("the TOML that was written has other values")
        return text


def _comment(line: str) -> str:
    return f"# {printable(line)}\n"


def _lines(entry: Entry) -> Iterator[str]:
    yield f"[[{entry.table}]]\n"
    for key, value in entry.values.items():
        yield f"{_key(key)} = {_value(value)}\n"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
