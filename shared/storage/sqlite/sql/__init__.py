"""The SQL of the SQLite backend: every query has a name and states its purpose."""

from functools import cache

from orpheus.shared.storage.queries import SqlFile, load_queries


@cache
def sql_file(name: str) -> SqlFile:
    """Return the named queries of one file of shared/storage/sqlite/sql/."""
    return load_queries(__name__, name)
