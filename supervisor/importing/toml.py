"""Write what was carried over as TOML, with the rest as comments beside it."""

import json
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orpheus.shared.text import printable
from orpheus.supervisor.importing.imported import Entry, FileLine, Imported, Left

_WIDTH = 100
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


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
    assert tomllib.loads(text) == imported.tables(), "the TOML that was written has other values"
    return text


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
    lines = (f"{_key(key)} = {_value(value)}\n" for key, value in entry.values.items())
    return f"[[{entry.table}]]\n{''.join(lines)}"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)


def _string(text: str) -> str:
    """Return text in the quotes that read best: single ones, if they avoid escapes."""
    is_literal = ('"' in text or "\\" in text) and "'" not in text and text.isprintable()
    return f"'{text}'" if is_literal else _quoted(text)


def _quoted(text: str) -> str:
    """Return text in double quotes; what cannot be seen is escaped, as TOML and JSON do."""
    return _NOT_ASCII.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else f"\\U{ord(match[0]):08X}"
