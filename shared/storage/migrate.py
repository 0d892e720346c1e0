"""Reads the numbered SQL migrations of a folder, and refuses schemas of other versions.

Each runs in one transaction with its record, so a process killed at any statement leaves the
schema as it was before that migration.
"""

import re

from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.records import dataclass
from orpheus.shared.resources import folder_of

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: `version` counts from 1 without gaps."""

    version: int
    name: str
    sql: str


def load_migrations(package: str) -> list[Migration]:
    """Return the migrations of `package`, in order. Raises ValueError if a number is missing."""
    found = [
        Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in folder_of(package).iterdir()
        if (match := _FILE.match(entry.name))
    ]
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{package}: migrations must be numbered 0001, 0002, … without a gap")
    return found


def refuse_newer(name: object, version: int, newest: int) -> None:
    """Raise DatabaseUnusable for a schema that is newer than the newest that is known."""
    if version > newest:
        raise DatabaseUnusable(
            f"{name} has schema {version}, newer than this Orpheus knows ({newest}); "
            "it was left as it is: update Orpheus"
        )


def refuse_older(name: object, version: int, newest: int) -> None:
    """Raise DatabaseUnusable for a schema that is older than the newest that is known."""
    if version < newest:
        raise DatabaseUnusable(
            f"{name} has schema {version}, this Orpheus needs {newest}; "
            "start Orpheus once to update it"
        )
