"""One action on many jobs: exactly those that the operator has seen and counted.

The filter is limited by `max_id` (the newest job on the screen) and by `expected_count` (what the
operator confirmed); if the count differs now, nothing is changed. With `or_fewer`, a smaller count
will do, but not 0: in a queue that runs, some jobs have always ended by then. Jobs are changed in
small transactions, so that the write lock is never held long; each adds its count to the audit log.
On PostgreSQL another transaction may hold some of the jobs for long. They are left out after a
moment, as many may wait for the locks of this one, and tried again twice; then the action ends.

The order is that of the dependencies: jobs that wait are cancelled and deleted before what they
wait for, which would end them first, and retried after it, so that they wait for it again.

`step` does a part: at most so many jobs, and it returns where the next step begins. Whoever asks
for the steps may stop after any of them, and knows exactly how many jobs were changed: the sum of
what the steps have answered, which is the count of their one audit entry. No step has to remember
anything, so it does not matter who runs the next one, or whether somebody was killed in between. A
step takes jobs by id, and with them those of the filter that its order demands before them.
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
    BulkCursor,
    BulkStep,
    CountChanged,
    JobCursor,
    JobOrder,
    NoSuchCursor,
)
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.audit import Audit
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.job_lists import JobLists, words_of
from orpheus.shared.storage.verbs.jobs import Jobs
from orpheus.shared.storage.verbs.keys import Keys
from orpheus.shared.storage.verbs.windows import Budget

_APPLIES_TO = {
    BulkAction.CANCEL: LIVE,
    BulkAction.RETRY: frozenset({Status.FAILED, Status.CANCELLED}),
    BulkAction.DELETE: TERMINAL,
}
_ORDER_OF_STEPS = {
    BulkAction.CANCEL: JobOrder.NEWEST,
    BulkAction.RETRY: JobOrder.OLDEST,
    BulkAction.DELETE: JobOrder.NEWEST,
}
_STEP_S = 1.0
_TRIES = 3
_LOCK_WAIT_MS = 200
"""How long a transaction waits for a job that another holds: many may wait for its own locks."""
_NEXT_LOCK_WAIT_MS = 10
"""How long a step waits for another such job, once it has waited for one in vain."""
_MOST_IN_A_STEP = 100_000
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

    def first_cursor(self, max_id: int | None) -> BulkCursor:
        """Return where steps begin that change no job above `max_id`, or above the newest now."""
        return BulkCursor(0, self._lists.newest_id() if max_id is None else max_id, 0)

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

    def step(
        self,
        action: BulkAction,
        wanted: JobFilter,
        limit: int,
        cursor: BulkCursor,
        *,
        expected_count: int | None = None,
        or_fewer: bool = False,
        by: str,
        reason: str | None = None,
        before_each: Callable[[int], None] | None = None,
    ) -> BulkStep:
        """Act on up to `limit` jobs, from `cursor` on. The first step makes the audit entry.

        `before_each`: see `change`. A step that it has ended may be taken again.

        Raises CountChanged (in the first step only), and NoSuchCursor for a cursor of other steps.
        """
        target, acting = _in_words(wanted, cursor.max_id), _Acting(before_each)
        if cursor.audit_id:
            if not self._audit.has(cursor.audit_id, action, target, by):
                raise NoSuchCursor("no such action has been begun")
        else:
            if expected_count is not None:
                count = self.count(action, wanted, cursor.max_id)
                self._expect(count, expected_count, fewer=or_fewer)
            acting.begin()
            entry = self._audit.record(action, target, by=by, reason=reason, count=0)
            cursor = cursor._replace(audit_id=entry)
        with self._database.snapshot():
            some, at = self._some(action, wanted, limit, cursor)
            ids = self._with_linked(action, wanted, some, cursor.max_id)
        changed = self._act(action, ids, cursor.audit_id, acting)
        so_far = self._audit.count_of(cursor.audit_id)
        return BulkStep(changed, so_far, None if at is None else cursor._replace(after=at.id))

    def _some(
        self, action: BulkAction, wanted: JobFilter, limit: int, cursor: BulkCursor
    ) -> tuple[list[int], JobCursor | None]:
        return self._lists.ids(
            wanted,
            _APPLIES_TO[action],
            max_id=cursor.max_id,
            limit=limit,
            order=_ORDER_OF_STEPS[action],
            cursor=JobCursor(0, cursor.after) if cursor.after else None,
            budget=Budget(_STEP_S),
        )

    def _with_linked(
        self, action: BulkAction, wanted: JobFilter, some: Sequence[int], max_id: int
    ) -> list[int]:
        """Return the jobs of a step in their order, with those that belong before them."""
        ids = set(some)
        while True:
            links = self._dependencies.order_of(action, sorted(ids))
            others = {earlier for _, earlier, _ in links} - ids
            if wanted.ids is not None:
                others &= set(wanted.ids)
            linked = replace(wanted, ids=tuple(sorted(others)))
            found = self._lists.ids(linked, _APPLIES_TO[action], max_id=max_id)[0] if others else []
            if not found or len(ids) > _MOST_IN_A_STEP:
                return in_order(sorted(ids), links)
            ids.update(found)

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
            some = ids[first : first + most]
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
        ids: Sequence[int],
        entry: int,
    ) -> None:
        """Run one transaction; skip a job whose state no longer allows the action.

        A step may be sent twice, by several callers at once, and a job that was retried may have
        failed again meanwhile: what the entry has already is left alone. Raises DatabaseBusy once
        it has changed the others, if another transaction holds one of the jobs.
        """
        changed, held_up = [], None
        with self._database.write(durable=True):
            self._keys.lock()  # a job may need it after another is locked, and others lock it first
            self._database.limit_lock_waits(_LOCK_WAIT_MS)  # many wait for that lock
            for job_id in self._audit.left_of(entry, ids):
                try:
                    with self._database.savepoint():
                        verb(job_id)
                    changed.append(job_id)
                except (NotFound, TransitionRefused):
                    continue
                except DatabaseAway:
                    raise
                except DatabaseBusy as error:
                    held_up = error
                    self._database.limit_lock_waits(_NEXT_LOCK_WAIT_MS)
            self._audit.add(entry, changed, kept=action is not BulkAction.DELETE)
        acting.changed += len(changed)
        if held_up is not None:
            raise held_up

    def _matching(self, action: BulkAction, wanted: JobFilter, max_id: int | None) -> list[int]:
        """Return the jobs that the action changes, as they are at one moment, in its order."""
        with self._database.snapshot():
            most = self._lists.newest_id() if max_id is None else max_id
            ids, _ = self._lists.ids(wanted, _APPLIES_TO[action], max_id=most)
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
    """Return the target: `jobs with status=failed, type=mail, id<=900`; `jobs 7, 8, 9`.

    Actions on different jobs never have the same, so it shows whether a cursor is of this action.
    """
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
