"""The job type verbs of the store."""

from collections.abc import Sequence
from dataclasses import astuple

from orpheus.shared.storage.data import TypeRow
from orpheus.shared.storage.database import Database


class Types:
    """What `python -m worker --describe` found, for programs that may not import job code."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("job_types.sql")

    def replace(self, types: Sequence[TypeRow], since_ms: int | None = None) -> None:
        """Replace the whole set, unless it is the same.

        `since_ms`: workers of this host that were started then or later have this code; None: now.
        """
        now_ms = self._database.own_clock.wall_ms() if since_ms is None else since_ms
        with self._database.write(durable=False):
            self._database.lock("job types", [""])
            if self.all() == sorted(types, key=lambda row: row.name):
                return
            known = {(name, code): ms for name, code, ms in self._database.all(self._sql["codes"])}
            rows = [(*astuple(row), known.get((row.name, row.code), now_ms)) for row in types]
            self._database.run(self._sql["remove-all"])
            self._database.run_many(self._sql["insert-type"], rows)
            self._database.at_commit.ring_api()

    def get(self, name: str) -> TypeRow | None:
        """Return the type of that name, None if no configured module defines it."""
        row = self._database.one(self._sql["get-type"], name)
        return TypeRow(*row) if row else None

    def all(self) -> list[TypeRow]:
        """Return every type, by name."""
        return [TypeRow(*row) for row in self._database.all(self._sql["all-types"])]
