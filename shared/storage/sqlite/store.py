"""The store: every verb that the programs have for the database.

It is synchronous and has one connection, used by one thread. A verb is a transaction of its own,
or part of the one that `write()` opened. So callers combine verbs: a worker finishes a batch and
leases the next in one commit, and the API's writer commits many requests at once.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.process.clock import Clock
from orpheus.shared.process.doorbells import Doorbells
from orpheus.shared.storage.sqlite.audit import Audit
from orpheus.shared.storage.sqlite.bulk import Bulk
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.dependencies import Dependencies
from orpheus.shared.storage.sqlite.enqueue import Enqueue
from orpheus.shared.storage.sqlite.events import Events
from orpheus.shared.storage.sqlite.idempotency import Idempotency
from orpheus.shared.storage.sqlite.job_types import Types
from orpheus.shared.storage.sqlite.jobs import Jobs
from orpheus.shared.storage.sqlite.leases import Leases
from orpheus.shared.storage.sqlite.logs import Logs
from orpheus.shared.storage.sqlite.maintenance import Maintenance
from orpheus.shared.storage.sqlite.opening import open_connection
from orpheus.shared.storage.sqlite.processes import Processes
from orpheus.shared.storage.sqlite.queues import Queues
from orpheus.shared.storage.sqlite.retention import Retention
from orpheus.shared.storage.sqlite.schedules import Schedules
from orpheus.shared.storage.sqlite.stats import Stats
from orpheus.shared.storage.sqlite.supervision import Supervision

_WRITABLE_WAIT_S = 0.25


class Store:
    """An open database. The verbs are grouped: `store.jobs`, `store.leases` and so on."""

    def __init__(
        self,
        path: Path,
        *,
        create: bool,
        durable: bool,
        pools: Mapping[str, tuple[str, ...]],
        backoff: BackoffRules,
        clock: Clock,
    ) -> None:
        """Open the database at `path`; see `open_store` in shared/storage/__init__.py."""
        connection = open_connection(path, create=create, clock=clock)
        self.clock = clock
        self.bells = Doorbells(Path(f"{path}-bells"), pools)
        self._database = database = Database(connection, path, clock, self.bells, durable)
        self._data_version = database.data_version()
        self.events = Events(database)
        dependencies = Dependencies(database, self.events)
        enqueue = Enqueue(database, self.events, dependencies)
        self.queues = Queues(database, self.events)
        self.jobs = Jobs(database, self.events, dependencies, enqueue)
        self.bulk = Bulk(database, self.jobs)
        self.schedules = Schedules(database, self.events, enqueue)
        self.idempotency = Idempotency(database)
        self.audit = Audit(database)
        self.leases = Leases(database, self.events, dependencies, enqueue, self.queues, backoff)
        self.logs = Logs(database)
        self.processes = Processes(database)
        self.supervision = Supervision(database)
        self.types = Types(database)
        self.stats = Stats(database)
        self.retention = Retention(database, self.events)
        self.maintenance = Maintenance(database)

    def write(self, *, durable: bool) -> AbstractContextManager[None]:
        """Run several verbs in one transaction. `durable`: the commit waits for the disk.

        Raises DatabaseBusy, DatabaseFull, DatabaseUnusable; then nothing was written.
        """
        return self._database.write(durable=durable)

    def savepoint(self) -> AbstractContextManager[None]:
        """Inside `write`: run a part that an exception rolls back alone."""
        return self._database.savepoint()

    def snapshot(self) -> AbstractContextManager[None]:
        """Let several reads see the database at one moment; nothing may be written."""
        return self._database.snapshot()

    def time_limit(self, limit_s: float) -> AbstractContextManager[None]:
        """Stop a query that still runs after `limit_s` seconds: it raises ReadTookTooLong."""
        return self._database.time_limit(limit_s)

    def writable(self) -> bool:
        """Return whether a write transaction can begin within 0.25 s: most writes are shorter.

        Raises DatabaseFull, DatabaseUnusable.
        """
        try:
            self._database.begin_and_undo(_WRITABLE_WAIT_S)
        except DatabaseBusy:
            return False
        return True

    def data_changed(self) -> bool:
        """Return whether another connection has committed since the last call."""
        version = self._database.data_version()
        changed = version != self._data_version
        self._data_version = version
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._database.close()
