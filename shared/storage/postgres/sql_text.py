"""Translates a query's parameters: `?`, `?1` and `:name`, as in all our SQL, become `$1`.

A query whose parameters are in an `unnest(...)` takes arrays: it does for many rows of values at
once what others do for one. The server starts a statement in 0.2 to 0.4 ms, as it prepares each
CHECK and index of the table, and changes a row in 0.05 ms.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec

T = TypeVar("T")

_PART = re.compile(
    r"""
    '(?:[^']|'')*' | "(?:[^"]|"")*"             # a text, a quoted name
    | \$(?P<tag>\w*)\$ .*? \$(?P=tag)\$         # the body of a function
    | --[^\n]* | /\* .*? \*/
    | ::                                        # a cast
    | \?(?P<number>\d*) | :(?P<name>[a-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)


class Statement(msgspec.Struct, frozen=True):
    """What psycopg executes for a query."""

    text: bytes
    names: tuple[str, ...]
    """The names of the parameters, in the order of their numbers, if they have names."""
    takes_arrays: bool
    """Whether each parameter is an array: a column of the rows of values."""


@lru_cache(maxsize=2048)
def statement_of(sql: str) -> Statement:
    """Return the statement of a query. As in SQLite, `?` is one more than the highest number."""
    highest = 0
    names: list[str] = []

    def translated(part: re.Match[str]) -> str:
        nonlocal highest
        name, number = part["name"], part["number"]
        if name is not None:
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"
        if number is None:
            return part[0]
        n = int(number) if number else highest + 1
        highest = max(highest, n)
        return f"${n}"

    text = _PART.sub(translated, sql)
    if names and highest:
        raise ValueError(f"parameters with names and with numbers in one query: {sql}")
    return Statement(text.encode(), tuple(names), "unnest(?" in sql)


def in_order(statement: Statement, row: Sequence[T] | Mapping[str, T]) -> Sequence[T]:
    """Return the values of parameters in the order of their numbers, if they are given by name."""
    return [row[name] for name in statement.names] if isinstance(row, Mapping) else row
