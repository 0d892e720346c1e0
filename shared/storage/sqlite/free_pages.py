"""Retention on SQLite: it also returns the free pages of the file to the system."""

from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.retention import BITE, Retention

_FREE_PAGES_KEPT = 1_000
_FREE_PART_KEPT = 5  # a fifth: what was freed is soon written again


class FileRetention(Retention):
    """Deletes as `Retention` does, and returns free pages to the system."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._sweeps.append(lambda _: self._free_pages())

    def _free_pages(self) -> bool:
        """Return free pages of the file to the system, except those soon used again."""
        free = self._database.value("PRAGMA freelist_count")
        used = self._database.value("PRAGMA page_count")
        surplus: int = free - max(_FREE_PAGES_KEPT, used // _FREE_PART_KEPT)
        if surplus <= 0:
            return False
        with self._short_write():
            while surplus > 0 and self._has_time():
                self._database.all(f"PRAGMA incremental_vacuum({min(surplus, BITE)})")
                surplus -= BITE
        return True
