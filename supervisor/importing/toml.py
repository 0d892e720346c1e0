"""Write what was carried over as TOML, by tomlkit, with the rest as comments beside it."""

import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tomlkit
from tomlkit.items import Item

from orpheus.shared.text import printable
from orpheus.supervisor.importing.imported import Entry, FileLine, Imported, Left

_WIDTH = 100
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
"""A character that cannot be seen is always in a string of double quotes here."""


def to_toml(imported: Imported, main_file: str) -> str:
    """Return the entries as text for orpheus.toml, in their order, with comments.

    A line of `main_file` is called by its number alone. The text is parsed again and compared with
    the entries: a wrong value must never be printed.
    """
    title = f"Made of {main_file} by orpheus import."
    text = "".join(_comments([title, *imported.differences]))
    before: Entry | Left | None = None
    for item in imported.items:
        if isinstance(item, Entry):
            text += "\n" + "".join((*_above(item, main_file), _table(item)))
        else:
            text += "" if isinstance(before, Left) else "\n"
            text += "".join(_left(item, main_file))
        before = item
    text = _NOT_ASCII.sub(_escaped, text)
    assert tomllib.loads(text) == imported.tables(), "the TOML that was written has other values"
    return text


def _escaped(match: re.Match[str]) -> str:
    """Return a character as it is if it can be seen, else as TOML escapes it."""
    return match[0] if match[0].isprintable() else f"\\U{ord(match[0]):08X}"


def _above(entry: Entry, main_file: str) -> Iterator[str]:
    yield from _comments(one.lstrip("# ") for one in entry.comments)
    if entry.positions:
        yield from _comments([f"{_where(entry.positions[0], main_file)}: {entry.original}"])
    for left in entry.left:
        yield from _left(left, main_file)


def _left(left: Left, main_file: str) -> Iterator[str]:
    text = printable(f"NOT CARRIED OVER, {_where(left.position, main_file)}: {left}.")
    wrap = textwrap.TextWrapper(
        _WIDTH - 2, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    yield from _comments(wrap.wrap(text))


def _where(position: FileLine, main_file: str) -> str:
    return f"line {position.line}" if position.file == main_file else str(position)


def _comments(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"# {printable(line)}".rstrip() + "\n"


def _table(entry: Entry) -> str:
    table = tomlkit.table()
    for key, value in entry.values.items():
        table.add(key, _item(value))
    array = tomlkit.aot()
    array.append(table)
    document = tomlkit.document()
    document.add(entry.table, array)
    return tomlkit.dumps(document)


def _item(value: Any) -> Item:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        inline = tomlkit.inline_table()
        for key, one in value.items():
            inline.append(key, _item(one))
        return inline
    if isinstance(value, list):
        array = tomlkit.array()
        for one in value:
            array.append(_item(one))
        return array
    item: Item = tomlkit.item(value)
    return item


def _string(text: str) -> Item:
    """Return text in the quotes that read best: single ones, if they avoid escapes."""
    is_literal = ('"' in text or "\\" in text) and "'" not in text and text.isprintable()
    return tomlkit.string(text, literal=is_literal)
