"""Opens what a store needs on a file of SQLite."""

from pathlib import Path

from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.sqlite.free_pages import FileRetention
from orpheus.shared.storage.sqlite.maintenance import FileMaintenance
from orpheus.shared.storage.store import Backend


def open_sqlite(
    path: Path, state: StateFiles, bells: Doorbells, *, create: bool, durable: bool, clock: Clock
) -> Backend:
    """Open the database at `path`; see `open_store` in shared/storage/__init__.py."""
    database = SqliteDatabase(path, state, clock, bells, create=create, durable=durable)
    return database, FileMaintenance(database), FileRetention(database)
