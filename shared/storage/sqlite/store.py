"""Opens a store on a file of SQLite."""

from collections.abc import Mapping
from pathlib import Path

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.sqlite.free_pages import FileRetention
from orpheus.shared.storage.sqlite.maintenance import FileMaintenance
from orpheus.shared.storage.store import Store


def open_sqlite(
    path: Path,
    state: StateFiles,
    *,
    create: bool,
    durable: bool,
    pools: Mapping[str, tuple[str, ...]],
    backoff: BackoffRules,
    quarantine_after: int,
    clock: Clock,
) -> Store:
    """Open the database at `path`; see `open_store` in shared/storage/__init__.py."""
    bells = Doorbells(state.bells, pools)
    database = SqliteDatabase(path, state, clock, bells, create=create, durable=durable)
    return Store(
        state,
        database,
        lambda events: FileMaintenance(database, events),
        lambda events: FileRetention(database, events),
        backoff,
        quarantine_after,
    )
