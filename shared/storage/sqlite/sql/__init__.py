"""The SQL of the SQLite backend alone, and that of shared/storage/sql/ as SQLite understands it."""

import re
from functools import cache

from orpheus.shared.storage.queries import SqlFile, load_queries

_ROW_LOCK = re.compile(r"FOR (NO KEY |KEY )?(UPDATE|SHARE)( OF \w+)?( SKIP LOCKED)?")


@cache
def sql_file(name: str) -> SqlFile:
    """Return the named queries of one file."""
    return load_queries(__name__, name, _adapted)


def _adapted(text: str) -> str:
    return _ROW_LOCK.sub("", text.replace("orpheus.", ""))
