"""Text from outside, made safe to show on a terminal or to store."""

import json
import re

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def printable(text: str) -> str:
    """Return `text` with control, line-separating and text-reordering characters escaped."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def first_line(text: str, longest: int | None = None) -> str:
    """Return the first line of a text, with a mark if there is more of it."""
    line, _, more = text.strip().partition("\n")
    line += " …" if more else ""
    return line if longest is None or len(line) <= longest else f"{line[: longest - 1]}…"


def without_colours(text: str) -> str:
    """Return `text` without the sequences that colour it on a terminal; any other stays."""
    return _COLOUR.sub("", text) if "\x1b" in text else text


def storable(text: str) -> str:
    """Return `text` with lone surrogates and NUL escaped: the database cannot store them."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def with_fields(line: str, fields: str) -> str:
    """Return a log line with its fields, a JSON object: `printed page=7 of="a book"`.

    A process that was killed may have left fields that are none; then it is the line alone.
    """
    try:
        known = json.loads(fields)
    except (ValueError, RecursionError):
        return line
    if not isinstance(known, dict):
        return line
    # What is escaped: a lone surrogate, of a file with an odd name; what cannot be seen.
    texts = (
        f" {printable(name)}={printable(json.dumps(value, ensure_ascii=False))}"
        for name, value in known.items()
    )
    return line + "".join(texts)
