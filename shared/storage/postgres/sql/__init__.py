"""The SQL of the PostgreSQL backend alone, and that of shared/storage/sql/ as the server takes it.

The files and names of queries are the same as SQLite's.
"""

import re
from functools import cache

from orpheus.shared.storage.queries import SqlFile, load_queries

_INDEX = re.compile(r"INDEXED BY \w+|NOT INDEXED")


@cache
def sql_file(name: str) -> SqlFile:
    """Return the named queries of one file."""
    return load_queries(__name__, name, _adapted)


def _adapted(text: str) -> str:
    return _INDEX.sub("", text).replace("CROSS JOIN", "JOIN")
