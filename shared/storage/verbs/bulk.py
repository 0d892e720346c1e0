"""One action on many jobs: exactly those that the operator has seen and counted.

The filter is limited by `max_id` (the newest job on the screen) and by `expected_count` (what the
operator confirmed); if the count differs now, nothing is changed. With `or_fewer`, a smaller count
will do, but not 0: in a queue that runs, some jobs have always ended by then. Jobs are changed in
small transactions, so that the write lock is never held long; each adds its count to the audit log.
On PostgreSQL another transaction may hold some of the jobs for long. They are left out after a
moment, as many may wait for the locks of this one, and tried again twice; then the action ends.

The order is that of the dependencies: jobs that wait are cancelled and deleted before what they
wait for, which would end them first, and retried after it, so that they wait for it again.
"""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256

from msgspec.structs import replace

from orpheus.shared.domain.dependencies import in_order
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import LIVE, TERMINAL
from orpheus.shared.errors import DatabaseAway, DatabaseBusy, NotFound, TransitionRefused
from orpheus.shared.storage.data import (
    BulkAction,
    CountChanged,
)
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.audit import Audit
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.job_lists import JobLists, words_of
from orpheus.shared.storage.verbs.jobs import Jobs
from orpheus.shared.storage.verbs.keys import Keys

_APPLIES_TO = {
    BulkAction.CANCEL: LIVE,
    BulkAction.RETRY: frozenset({Status.FAILED, Status.CANCELLED}),
    BulkAction.DELETE: TERMINAL,
}
_TRIES = 3
_LOCK_WAIT_MS = 200
"""How long a transaction waits for a job that another holds: many may wait for its own locks."""
_NEXT_LOCK_WAIT_MS = 10
"""How long a step waits for another such job, once it has waited for one in vain."""
_MOST_NAMED = 20
_DIGEST_CHARS = 12


class Bulk:
    """Cancels, retries or deletes jobs by filter."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        lists: JobLists,
        dependencies: Dependencies,
        keys: Keys,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._keys = keys
        self._lists = lists
        self._dependencies = dependencies
        self._audit = Audit(database)

    def count(self, action: BulkAction, wanted: JobFilter, max_id: int | None) -> int:
        """Return how many jobs the action would change."""
        return len(self._matching(action, wanted, max_id))

    def change(
        self,
        action: BulkAction,
        wanted: JobFilter,
        *,
        max_id: int | None = None,
        expected_count: int | None = None,
        or_fewer: bool = False,
        by: str,
        reason: str | None = None,
        before_each: Callable[[int], None] | None = None,
    ) -> int:
        """Act on the jobs, with one audit entry; return how many changed. Raises CountChanged.

        `before_each` is called before each transaction, with how many have changed so far; what it
        raises ends the action there.
        """
        ids = self._matching(action, wanted, max_id)
        if expected_count is not None:
            self._expect(len(ids), expected_count, fewer=or_fewer)
        acting = _Acting(before_each)
        acting.begin()
        entry = self._audit.record(action, _in_words(wanted, max_id), by=by, reason=reason, count=0)
        return self._act(action, ids, entry, acting)

    def _expect(self, count: int, expected: int, *, fewer: bool) -> None:
        if count != expected and not (fewer and 0 < count < expected):
            raise CountChanged(
                f"{count} jobs match now, {expected} were expected; nothing was changed"
            )

    def _act(self, action: BulkAction, ids: Sequence[int], entry: int, acting: "_Acting") -> int:
        verbs: dict[BulkAction, Callable[[int], object]] = {
            BulkAction.CANCEL: self._jobs.cancel,
            BulkAction.RETRY: self._jobs.retry,
            BulkAction.DELETE: self._jobs.delete,
        }
        most = self._database.most_savepoints
        for first in range(0, len(ids), most):
            some = list(ids[first : first + most])
            if action is BulkAction.DELETE:
                self._shorten_logs(acting, some)
            acting.tried(partial(self._step, acting, action, verbs[action], some, entry))
        return acting.changed

    def _shorten_logs(self, acting: "_Acting", ids: Sequence[int]) -> None:
        for job_id in self._jobs.with_long_logs(ids):
            acting.begin()
            with contextlib.suppress(DatabaseBusy):  # the step that deletes the job meets it, too
                while self._jobs.shorten_log(job_id, _LOCK_WAIT_MS):
                    acting.begin()

    def _step(
        self,
        acting: "_Acting",
        action: BulkAction,
        verb: Callable[[int], object],
        ids: list[int],
        entry: int,
    ) -> None:
        """Run one transaction; skip a job whose state no longer allows the action.

        Raises DatabaseBusy once it has changed the others, if another transaction holds some of the
        jobs: only those are left in `ids`.
        """
        changed, held, held_up = [], [], None
        with self._database.write(durable=True):
            self._keys.lock()  # a job may need it after another is locked, and others lock it first
            self._database.limit_lock_waits(_LOCK_WAIT_MS)  # many wait for that lock
            for job_id in ids:
                try:
                    with self._database.savepoint():
                        verb(job_id)
                    changed.append(job_id)
                except (NotFound, TransitionRefused):
                    continue
                except DatabaseAway:
                    raise
                except DatabaseBusy as error:
                    held.append(job_id)
                    held_up = error
                    self._database.limit_lock_waits(_NEXT_LOCK_WAIT_MS)
            self._audit.add(entry, changed, kept=action is not BulkAction.DELETE)
        ids[:] = held
        acting.changed += len(changed)
        if held_up is not None:
            raise held_up

    def _matching(self, action: BulkAction, wanted: JobFilter, max_id: int | None) -> list[int]:
        """Return the jobs that the action changes, as they are at one moment, in its order."""
        with self._database.snapshot():
            most = self._lists.newest_id() if max_id is None else max_id
            ids = self._lists.ids(wanted, _APPLIES_TO[action], max_id=most)
            links = self._dependencies.order_of(action, ids)
        return in_order(ids, links)


class _Acting:
    """What one call has done so far."""

    def __init__(self, before_each: Callable[[int], None] | None) -> None:
        self.changed = 0
        """How many jobs."""
        self._before_each = before_each

    def begin(self) -> None:
        """Call this before each transaction."""
        if self._before_each is not None:
            self._before_each(self.changed)

    def tried(self, step: Callable[[], object]) -> None:
        """Run a transaction, a few times if others are in its way.

        Raises DatabaseBusy, which tells how many jobs were changed before.
        """
        for tries_left in reversed(range(_TRIES)):
            self.begin()
            try:
                step()
            except DatabaseBusy as error:
                if tries_left and not isinstance(error, DatabaseAway):
                    continue
                if not self.changed:
                    raise
                why = str(error).partition(";")[0]
                told = f"{why}; {self.changed} jobs were changed before, the others were not"
                raise type(error)(told) from error
            else:
                return


def _in_words(wanted: JobFilter, max_id: int | None) -> str:
    """Return the target: `jobs with status=failed, type=mail, id<=900`; `jobs 7, 8, 9`."""
    is_bound = max_id is not None and not (wanted.ids and max(wanted.ids) <= max_id)
    bound = [f"id<={max_id}"] if is_bound else []
    if not wanted.ids:
        parts = [*words_of(wanted), *bound]
        return f"jobs with {', '.join(parts)}" if parts else "all jobs"
    parts = [*words_of(replace(wanted, ids=None)), *bound]
    chosen = _named(wanted.ids)
    return f"jobs {chosen} with {', '.join(parts)}" if parts else f"jobs {chosen}"


def _named(ids: Sequence[int]) -> str:
    """Return `7, 8, 9`; of many ids only the first, and a digest of all."""
    named = ", ".join(map(str, ids[:_MOST_NAMED]))
    if len(ids) <= _MOST_NAMED:
        return named
    digest = sha256(" ".join(map(str, ids)).encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{named} and {len(ids) - _MOST_NAMED} more (digest {digest})"
