"""The numbered SQL migrations of a backend, and which of them a database still needs.

The first makes the whole schema. Each runs in one transaction with its record, so a process that is
killed at any statement leaves the schema as it was before that migration.

A line `-- readable from: 0100` in a migration says that programs which know schema 0100 or newer
may go on using the database after it (docs/contributing.md says what such a migration may do).
Without that line, only programs that know the migration may.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.resources import folder_of

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")
_READABLE_FROM = re.compile(r"^\s*-- readable from: (\d{4})$", re.MULTILINE)


class Migration(msgspec.Struct, frozen=True):
    """One step of the schema. `version`: the version that the schema has after it."""

    version: int
    name: str
    sql: str

    @property
    def readable_from(self) -> int:
        """The oldest schema whose programs may use the database after this migration."""
        found = _READABLE_FROM.search(self.sql)
        return int(found[1]) if found else self.version


class Schema(NamedTuple):
    """The schema of a database: its version, and the oldest whose programs may use it; 0: none."""

    version: int
    readable_from: int


def load_migrations(package: str) -> list[Migration]:
    """Return the migrations of `package`, in order."""
    found = [
        Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in folder_of(package).iterdir()
        if (match := _FILE.match(entry.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def pending(
    name: object, schema: Schema, migrations: Sequence[Migration], *, may_migrate: bool
) -> list[Migration]:
    """Return the migrations that a schema needs.

    Raises DatabaseUnusable for a newer schema that programs of this version may not use, for one
    from before the first migration, and without `may_migrate` for an older one.
    """
    first, newest = migrations[0].version, migrations[-1].version
    refuse_newer(name, schema.readable_from, newest)
    if 0 < schema.version < first:
        raise DatabaseUnusable(
            f"{name} was made by a version of Orpheus from before the first release, whose schema "
            "is no longer read; it was left as it is: start with a new database"
        )
    if schema.version < newest and not may_migrate:
        raise DatabaseUnusable(
            f"{name} has schema {schema.version}, this Orpheus needs {newest}; "
            "start Orpheus once to update it"
        )
    return [migration for migration in migrations if migration.version > schema.version]


def refuse_newer(name: object, readable_from: int, newest: int) -> None:
    """Raise DatabaseUnusable if only programs that know a newer schema may use the database."""
    if readable_from > newest:
        raise DatabaseUnusable(
            f"{name} needs schema {readable_from}, newer than this Orpheus knows ({newest}); "
            "it was left as it is: update Orpheus"
        )
