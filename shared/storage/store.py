"""The store: every verb that the programs have for the database.

It is synchronous and has one connection, used by one thread. A verb is a transaction of its own,
or part of the one that `write()` opened. So callers combine verbs: a worker finishes a batch and
leases the next in one commit, and the API's writer commits many requests at once.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from orpheus.shared.domain.backoff import BackoffRules
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage.database import Database, Maintenance
from orpheus.shared.storage.verbs.acknowledgements import Acknowledgements
from orpheus.shared.storage.verbs.alerts import Alerts
from orpheus.shared.storage.verbs.audit import Audit
from orpheus.shared.storage.verbs.bulk import Bulk
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.ended_leases import EndedLeases
from orpheus.shared.storage.verbs.enqueue import Enqueue
from orpheus.shared.storage.verbs.events import Events
from orpheus.shared.storage.verbs.graphs import Graphs
from orpheus.shared.storage.verbs.job_lists import Errors, JobLists
from orpheus.shared.storage.verbs.job_types import HiddenFields, Types, Versions
from orpheus.shared.storage.verbs.jobs import Idempotency, Jobs, Logs
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.leases import Leases
from orpheus.shared.storage.verbs.moves import Moves
from orpheus.shared.storage.verbs.outboxes import Outboxes
from orpheus.shared.storage.verbs.past import Past
from orpheus.shared.storage.verbs.processes import Leader, Processes, Supervision
from orpheus.shared.storage.verbs.quarantines import Quarantines
from orpheus.shared.storage.verbs.queues import Queues
from orpheus.shared.storage.verbs.retention import Retention
from orpheus.shared.storage.verbs.schedules import Schedules
from orpheus.shared.storage.verbs.signals import Signals
from orpheus.shared.storage.verbs.stats import Stats
from orpheus.shared.storage.verbs.steps import Steps
from orpheus.shared.storage.verbs.waiting import Waiting

_WRITABLE_WAIT_S = 0.25

Backend = tuple[Database, Maintenance, Retention]
"""What differs between databases."""


class Store:
    """An open database. The verbs are grouped: `store.jobs`, `store.leases` and so on."""

    def __init__(
        self,
        state: StateFiles,
        backend: Backend,
        backoff: BackoffRules,
        quarantine_after: int,
        hide: Sequence[str] | None,
    ) -> None:
        """Group the verbs over a database; see `open_store` in shared/storage/__init__.py.

        `backoff`: that of job types without one of their own. `quarantine_after`: how many crashes
        quarantine a type; 0: no type is quarantined.
        `hide`: the fields that are hidden in jobs of all types; None: nothing is hidden at all.
        """
        database, self.maintenance, self.retention = backend
        self.state = state
        """This host's files of the database: doorbells, crash cells."""
        self.file_names = database.file_names
        self.has_many_hosts = database.has_many_hosts
        self.one_writer = database.one_writer
        """See `Database`."""
        self.most_savepoints = database.most_savepoints
        self.clock = database.clock
        """That of the database, which leases and times are compared with."""
        self.own_clock = database.own_clock
        """That of this process: see `Database`."""
        self.bells = database.bells
        self._database = database
        self._seen_changes = database.changes()
        self.events = events = Events(database)
        self.timeline = events.timeline
        self.keys = keys = Keys(database)
        self.dependencies = dependencies = Dependencies(database, events, keys)
        enqueue = Enqueue(database, events, dependencies, keys)
        self.signals = signals = Signals(database, dependencies)
        self.steps = steps = Steps(database, dependencies, enqueue, signals)
        self.queues = Queues(database, events, keys)
        self.hidden = hidden = HiddenFields(database, hide)
        self.lists = JobLists(database, hidden)
        self.audit = audit = Audit(database)
        self.jobs = Jobs(database, events, dependencies, enqueue, keys, steps, self.lists, audit)
        self.quarantines = Quarantines(database, events, quarantine_after)
        self.versions = versions = Versions(database)
        self.graphs = Graphs(database, self.jobs)
        self.errors = Errors(database)
        self.bulk = Bulk(database, self.jobs, self.lists, dependencies, keys)
        self.schedules = Schedules(database, events, enqueue)
        self.alerts = Alerts(database, events, enqueue)
        self.acknowledgements = Acknowledgements(database)
        self.idempotency = Idempotency(database)
        self.outboxes = Outboxes(database)
        queues, held = self.queues, self.quarantines
        ended = EndedLeases(
            database, events, dependencies, queues, keys, held, versions, steps, backoff
        )
        self.leases = Leases(
            database, events, dependencies, enqueue, queues, keys, versions, signals, ended
        )
        self.logs = Logs(database)
        self.processes = Processes(database)
        self.supervision = Supervision(database)
        self.leader = Leader(database)
        self.moves = Moves(database)
        self.types = Types(database, hidden)
        self.stats = stats = Stats(database)
        self.past = Past(database)
        self.waiting = Waiting(
            database, stats, self.jobs, keys, queues, held, versions, self.audit, steps
        )

    def write(self, *, durable: bool) -> AbstractContextManager[None]:
        """Run several verbs in one transaction. `durable`: the commit waits for the disk.

        Raises DatabaseBusy, DatabaseFull, DatabaseUnusable; then nothing was written, unless it is
        CommitInDoubt.
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

    def limit_lock_waits(self, limit_ms: int | None) -> None:
        """Inside `write`, outside its savepoints: see `Database`."""
        self._database.limit_lock_waits(limit_ms)

    def writable(self) -> bool:
        """Return whether a write transaction can begin within 0.25 s: most writes are shorter.

        It asks what `standstill` asks, so readiness and status tell the same.
        Raises DatabaseFull, DatabaseUnusable.
        """
        try:
            self._database.begin_and_undo(_WRITABLE_WAIT_S)
        except DatabaseBusy:
            return False
        return True

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, or a snapshot."""
        return self._database.in_transaction

    def give_way(self) -> None:
        """From now on let those write first who wait for the write lock and do not give way."""
        self._database.give_way()

    def others_wait(self) -> bool:
        """Return whether such a one waits now."""
        return self._database.others_wait()

    def data_changed(self) -> bool:
        """Return whether another connection has committed since the last call."""
        changes = self._database.changes()
        changed = changes != self._seen_changes
        self._seen_changes = changes
        return changed

    def close(self) -> None:
        """Close the connection."""
        self._database.close()
