"""What tests about SQLite see under a store."""

from orpheus.shared.storage import Store
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.sqlite.handle import Handle


def handle_of(store: Store) -> Handle:
    """Its connection."""
    assert isinstance(store._database, SqliteDatabase)
    return store._database._handle
