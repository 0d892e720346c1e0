"""The SQL of the PostgreSQL backend: the same files and names of queries as SQLite's."""

from functools import cache

from orpheus.shared.storage.queries import SqlFile, load_queries


@cache
def sql_file(name: str) -> SqlFile:
    """Return the named queries of one file of shared/storage/postgres/sql/."""
    return load_queries(__name__, name)
