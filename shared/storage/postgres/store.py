"""Opens the store on PostgreSQL: its connection, with what looks after the schema."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.process.clock import Clock, SystemClock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.process.files import make_private_folder
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage.postgres.application import ApplicationDatabase, Finish
from orpheus.shared.storage.postgres.database import PostgresDatabase
from orpheus.shared.storage.postgres.listening import ListeningThread
from orpheus.shared.storage.postgres.maintenance import SchemaMaintenance
from orpheus.shared.storage.postgres.notices import sender_of
from orpheus.shared.storage.store import Backend, Store
from orpheus.shared.storage.verbs.retention import Retention

_NO_FILES = StateFiles("", "/nonexistent/", Path("/nonexistent"))
"""Of an application: it may be on a host that has no other part of Orpheus."""


def listen_to_postgres(
    url: str, state: StateFiles, pools: Mapping[str, tuple[str, ...]]
) -> ListeningThread:
    """Start to listen at `url`; see `listen` in shared/storage/__init__.py."""
    sender = sender_of(str(state.bells))
    thread = ListeningThread(url, sender, Doorbells(state.bells, pools))
    thread.start()
    return thread


def open_in_application(connection: Any, finish: Finish, hide: Sequence[str]) -> Store:
    """Return the store in a transaction of an application; see `open_store_in`."""
    database = ApplicationDatabase(connection, finish)
    return Store(
        _NO_FILES,
        (database, SchemaMaintenance(database), Retention(database)),
        BackoffRules(),
        quarantine_after=0,
        hide=hide,
    )


def open_postgres(
    url: str,
    state: StateFiles,
    bells: Doorbells,
    *,
    create: bool,
    durable: bool,
    clock: Clock | None,
    pooled: bool,
    lock_wait_s: float | None,
    is_patient: bool,
) -> Backend:
    """Open the database that `url` names; see `open_store` in shared/storage/__init__.py.

    `clock`: instead of the database's. `pooled`, `is_patient`: see `Connection`.
    """
    if create:
        make_private_folder(state.folder)
    database = PostgresDatabase(
        url,
        clock or SystemClock(),
        bells,
        create=create,
        durable=durable,
        clock=clock,
        pooled=pooled,
        lock_wait_s=lock_wait_s,
        is_patient=is_patient,
    )
    return database, SchemaMaintenance(database), Retention(database)
