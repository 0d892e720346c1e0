"""Checks the name of an outbox's table, and makes the SQL that creates it.

The ids must never be used again: a drainer that was killed deletes the rows that it had made jobs
of by their ids. So the id is AUTOINCREMENT in SQLite, where it would begin at 1 again in an empty
table, and an identity in PostgreSQL.
"""

import re

from orpheus.shared.resources import folder_of

DEFAULT_TABLE = "orpheus_outbox"
DATABASES = ("sqlite", "postgresql")
SIGNAL = "signal:"
"""The type of a row that is a signal begins so, and its name follows. No job type has a colon."""
TABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
"""The names of tables, with a schema or without."""
TABLE_RULE = "must be the name of a table, such as orpheus_outbox or shop.orpheus_outbox"
"""TABLE as a sentence for people."""


def quoted(table: str) -> str:
    """Return the name as it stands in SQL. Raises ValueError if it is not a table's name."""
    if not TABLE.fullmatch(table):
        raise ValueError(f"{table!r} {TABLE_RULE}")
    return ".".join(f'"{part}"' for part in table.split("."))


def create_table(database: str, table: str = DEFAULT_TABLE) -> str:
    """Return the SQL that makes the table in a database of one kind of `DATABASES`.

    Raises ValueError if it is not a table's name.
    """
    sql = folder_of(__package__).joinpath(f"{database}.sql").read_text(encoding="utf-8")
    index = f'"{table.rpartition(".")[2]}_waiting"'
    sql = sql.replace(f'"{DEFAULT_TABLE}_waiting"', index)
    return sql.replace(f'"{DEFAULT_TABLE}"', quoted(table))
