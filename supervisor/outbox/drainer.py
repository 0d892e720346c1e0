"""Drains one outbox: a batch of rows becomes jobs and signals, exactly once, then the next.

The rows and the jobs are in two databases, so no transaction covers both. A batch takes three
steps, and a drainer that is killed between any two of them repeats nothing and loses nothing:

1. One transaction of Orpheus inserts the jobs and remembers the ids of their rows.
2. One transaction of the application deletes these rows, and marks those that were refused.
3. Orpheus forgets the ids.

Before its first batch, and after any failure, a drainer deletes the rows whose ids are remembered.
So Orpheus never remembers more than one batch of an outbox, and a row that is read is never a job
yet.

Another drainer may have taken over while this one stood still; or it was killed, and the server is
still busy with its commit. So each batch has a number, and steps 1 and 3 name the last batch that
this drainer has seen before it read the rows. If another has come since, nothing is changed, and
the drainer looks at the remembered ids again.
"""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import msgspec

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.errors import StorageError
from orpheus.shared.logs import get_logger
from orpheus.shared.process.clock import next_multiple_s
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.storage import OutboxTaken, Store, open_storage
from orpheus.supervisor.outbox.rows import NotHere, OutboxTrouble, Source
from orpheus.supervisor.outbox.sqlite import SqliteSource

log = get_logger()

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0
"""Between two attempts while something is in trouble, unless `poll` is longer."""
_KEY_WAIT_MS = 100
"""How long a batch waits for unique keys that open transactions hold; their rows come later."""
_KEYS_AGAIN_S = 5.0
"""Rows whose keys were held are passed over for so long, or until no others are left."""
_SQLITE = "sqlite:///"


class OutboxSettings(msgspec.Struct, frozen=True):
    """One outbox, and what its jobs get by default; equal if nothing has changed."""

    name: str
    url: str
    table: str
    poll_s: float
    storage: StorageSettings
    defaults: JobDefaults
    max_payload_bytes: int
    """A row with a larger payload is refused, like the body of a request (api.max_body)."""

    def __repr__(self) -> str:
        return f"OutboxSettings({self.name!r})"  # the URL may hold a password


class Drainer:
    """Drains one outbox on a thread of its own: `start`, then `stop`."""

    def __init__(
        self,
        settings: OutboxSettings,
        predecessor: "Drainer | None" = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """`predecessor`: the drainer of the same outbox with other settings, told to stop.

        `leads`: whether this host leads, if several share the database. The leader drains what all
        of them reach. A file is drained by the host that has it.
        """
        self.settings = settings
        self._leads = leads
        self._is_file = settings.url.startswith(_SQLITE)
        self._is_elsewhere = False
        """Whether this host lacks the file, which another host may have."""
        self.trouble = ""
        """Why nothing is drained now; empty if all is well. Any thread may read it."""
        self._predecessor = predecessor
        self._stopping = Event()
        self._store: Store | None = None
        self._source: Source | None = None
        self._failures = 0
        self._thread = Thread(target=self._run, name=f"outbox {settings.name}", daemon=True)

    def start(self) -> None:
        """Start to drain, as soon as the predecessor has ended.

        If no thread can be started, `trouble` says so; call it again. Later calls do nothing.
        """
        if self._is_started():
            return
        try:
            self._thread.start()
        except RuntimeError as error:
            self._note_trouble(str(error))

    def stop(self) -> None:
        """Tell the thread to end after the batch that is under way; do not wait for it."""
        self._stopping.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread; return whether it has ended, and its predecessor too."""
        if not self._is_started():
            return self._predecessor is None or self._predecessor.join(timeout_s)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _is_started(self) -> bool:
        return self._thread.ident is not None

    # The thread

    def _run(self) -> None:
        if self._predecessor is not None:
            self._predecessor.join()
            self._predecessor = None
        while not self._stopping.is_set():
            self._stopping.wait(self._turn())
        self._close()

    def _turn(self) -> float:
        """Drain what there is; return the seconds until the next look."""
        poll_s = self.settings.poll_s
        try:
            self._drain()
        except OutboxTrouble as error:
            self._note_trouble(str(error))
            self._close_source()
        except OutboxTaken:  # another drainer goes on with it, so nothing is wrong
            log.info("outbox_taken", outbox=self.settings.name)
            return poll_s
        except StorageError as error:
            self._note_trouble(str(error))
            self._close()
        except Exception as error:  # an error of ours must not end the thread
            log.exception("outbox_failed", outbox=self.settings.name)
            self.trouble = f"an internal error: {type(error).__name__}"
            self._close()
        else:
            self._note_trouble("")
            self._failures = 0
            now_s = time.monotonic()
            return next_multiple_s(now_s, poll_s) - now_s
        self._failures += 1
        longest_s = max(poll_s, _LONGEST_WAIT_S)
        return min(max(poll_s, _FIRST_WAIT_S) * 2.0 ** min(self._failures - 1, 10), longest_s)

    def _drain(self) -> None:
        if self._store is None:
            self._store = open_storage(self.settings.storage)
        store = self._store
        if store.has_many_hosts and not self._is_file and not self._leads():
            return
        if self._source is None:
            try:
                self._source = _open_source(self.settings)
            except NotHere as error:
                if not store.has_many_hosts:
                    raise
                if not self._is_elsewhere:
                    log.warning("outbox_not_here", outbox=self.settings.name, reason=str(error))
                self._is_elsewhere = True
                return
            self._is_elsewhere = False
        source = self._source
        held_keys = set[str]()
        keys_again_at_s = time.monotonic() + _KEYS_AGAIN_S
        while not self._stopping.is_set() and source.may_have_rows():
            began_s = time.monotonic()
            if began_s >= keys_again_at_s:
                held_keys.clear()
                keys_again_at_s = began_s + _KEYS_AGAIN_S
            if not self._drain_batch(store, source, self._settled(store, source), held_keys):
                break
            # The application and our workers write too: leave them as much time as we took.
            self._stopping.wait(time.monotonic() - began_s)

    def _settled(self, store: Store, source: Source) -> int:
        """Delete the rows of the last batch, unless that has been done; return its number."""
        last = store.outboxes.last_batch(self.settings.name, source.digest)
        if last.ids:
            source.delete(last.ids)
            store.outboxes.forget(self.settings.name, source.digest, last.number)
            log.info("outbox_recovered", outbox=self.settings.name, rows=len(last.ids))
        return last.number

    def _drain_batch(self, store: Store, source: Source, after: int, held_keys: set[str]) -> bool:
        """Make jobs of some rows; return False if there was none.

        `after`: the number of the batch before, whose rows are deleted. Rows with `held_keys` are
        passed over; the keys that open transactions hold are added, as they could fill each batch.
        """
        from orpheus.supervisor.outbox.sorting import in_turn, sort_out  # noqa: PLC0415 - 4 MB, for the first row

        settings, name = self.settings, self.settings.name
        with source.batch(held_keys) as rows:
            if not rows:
                return False
            failpoint("outbox.read")
            types = {row.name: row for row in store.types.all()}
            batch = sort_out(rows, types, settings.defaults, settings.max_payload_bytes)
            with store.write(durable=True):
                # First, as workers lock them: signals, then keys.
                store.signals.lock((new.name, new.key) for _, new in batch.signals)
                holders, contended = store.jobs.key_holders_within(batch.jobs, _KEY_WAIT_MS)
                held_keys |= contended
                batch = in_turn(batch, holders, contended)
                drained = batch.drained
                if not drained and not batch.refused:
                    return True  # all of them wait for keys; there may be others behind them
                refused, held = len(batch.refused), batch.held
                number = store.outboxes.remember(
                    name, source.digest, after, drained, refused=refused, held=held
                )
                if batch.jobs:
                    store.jobs.submit_many(batch.jobs)
                for _, signal in batch.signals:
                    store.signals.send(signal)
                failpoint("outbox.before_commit")
            failpoint("outbox.jobs_committed")
            source.finish(drained, batch.refused)
        failpoint("outbox.rows_deleted")
        store.outboxes.forget(name, source.digest, number)
        if batch.refused:
            first_id, reason = batch.refused[0]
            log.warning(
                "outbox_rows_refused", outbox=name, rows=refused, first_id=first_id, reason=reason
            )
        log.debug("outbox_drained", outbox=name, rows=len(drained))
        return True

    def _note_trouble(self, reason: str) -> None:
        """Log what is wrong once, not at each attempt, and when it is over."""
        if reason:
            log.debug("outbox_attempt_failed", outbox=self.settings.name, reason=reason)
        if reason and reason != self.trouble:
            log.error("outbox_trouble", outbox=self.settings.name, reason=reason)
        elif self.trouble and not reason:
            log.info("outbox_well", outbox=self.settings.name)
        self.trouble = reason

    def _close(self) -> None:
        self._close_source()
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()


def _open_source(settings: OutboxSettings) -> Source:
    """Open the application's database. Raises OutboxTrouble."""
    url, table, max_bytes = settings.url, settings.table, settings.max_payload_bytes
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE)).absolute()
        return SqliteSource(path, table, max_bytes)
    try:
        from orpheus.supervisor.outbox.postgresql import PostgresqlSource  # noqa: PLC0415 - optional
    except ImportError as error:
        raise OutboxTrouble(f"psycopg cannot be imported: {error}") from None
    return PostgresqlSource(url, table, max_bytes)
