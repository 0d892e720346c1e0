"""The numbered SQL migrations of a backend, and which of them a database still needs.

The first makes the whole schema. Each runs in one transaction with its record, so a process that is
killed at any statement leaves the schema as it was before that migration.
"""

import re
from collections.abc import Sequence

import msgspec

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.resources import folder_of

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema. `version`: the version that the schema has after it."""

    version: int
    name: str
    sql: str


def load_migrations(package: str) -> list[Migration]:
    """Return the migrations of `package`, in order."""
    found = [
        Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in folder_of(package).iterdir()
        if (match := _FILE.match(entry.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def pending(
    name: object, version: int, migrations: Sequence[Migration], *, may_migrate: bool
) -> list[Migration]:
    """Return the migrations that a schema of this version needs; 0: there is no schema.

    Raises DatabaseUnusable for a newer schema, for one from before the first migration, and
    without `may_migrate` for an older one.
    """
    first, newest = migrations[0].version, migrations[-1].version
    refuse_newer(name, version, newest)
    if 0 < version < first:
        raise DatabaseUnusable(
            f"{name} was made by a version of Orpheus from before the first release, whose schema "
            "is no longer read; it was left as it is: start with a new database"
        )
    if version < newest and not may_migrate:
        raise DatabaseUnusable(
            f"{name} has schema {version}, this Orpheus needs {newest}; "
            "start Orpheus once to update it"
        )
    return [migration for migration in migrations if migration.version > version]


def refuse_newer(name: object, version: int, newest: int) -> None:
    """Raise DatabaseUnusable for a schema that is newer than the newest that is known."""
    if version > newest:
        raise DatabaseUnusable(
            f"{name} has schema {version}, newer than this Orpheus knows ({newest}); "
            "it was left as it is: update Orpheus"
        )
