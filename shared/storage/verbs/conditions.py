"""Conditions of queries that are put together from named pieces of SQL."""

import msgspec

from orpheus.shared.storage.database import Value


class Condition(msgspec.Struct, frozen=True):
    """A piece of SQL, and the values of its parameters."""

    sql: str
    values: tuple[Value, ...] = ()


def all_of(*conditions: Condition) -> Condition:
    """Return the WHERE of rows for which each condition holds; nothing if there is none."""
    sql = " WHERE " + " AND ".join(condition.sql for condition in conditions) if conditions else ""
    return Condition(sql, tuple(value for condition in conditions for value in condition.values))


def escaped(text: str) -> str:
    """Return the pattern of LIKE that only this text matches."""
    return text.translate({ord(c): f"\\{c}" for c in "\\%_"})


def containing(text: str) -> str:
    """Return the pattern of LIKE that matches every text that contains this one."""
    return f"%{escaped(text)}%"
