"""One action on many jobs: exactly those that the operator has seen and counted.

The filter is limited by `max_id` (the newest job on the screen) and by `expected_count` (what the
operator confirmed); if the count differs now, nothing is changed. Jobs are changed in small
transactions, so that the write lock is never held long; each adds its count to the audit log.

The order is that of the dependencies: jobs that wait are cancelled and deleted before what they
wait for, which would end them first, and retried after it, so that they wait for it again.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

from orpheus.shared.domain.dependencies import in_order
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.lifecycle import LIVE, TERMINAL
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.storage.data import BulkAction, CountChanged, JobFilter
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.audit import Audit
from orpheus.shared.storage.verbs.dependencies import Dependencies
from orpheus.shared.storage.verbs.jobs import Jobs

_APPLIES_TO = {
    BulkAction.CANCEL: LIVE,
    BulkAction.RETRY: frozenset({Status.FAILED, Status.CANCELLED}),
    BulkAction.DELETE: TERMINAL,
}


class Bulk:
    """Cancels, retries or deletes jobs by filter."""

    def __init__(self, database: Database, jobs: Jobs, dependencies: Dependencies) -> None:
        self._database = database
        self._jobs = jobs
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
        by: str,
        reason: str | None = None,
    ) -> int:
        """Act on the jobs, with one audit entry; return how many changed. Raises CountChanged."""
        ids = self._matching(action, wanted, max_id)
        if expected_count is not None and len(ids) != expected_count:
            raise CountChanged(
                f"{len(ids)} jobs match now, {expected_count} were expected; nothing was changed"
            )
        verbs: dict[BulkAction, Callable[[int], object]] = {
            BulkAction.CANCEL: self._jobs.cancel,
            BulkAction.RETRY: self._jobs.retry,
            BulkAction.DELETE: self._jobs.delete,
        }
        entry = self._audit.record(action, _in_words(wanted, max_id), by=by, reason=reason, count=0)
        step = self._database.most_savepoints
        return sum(
            self._step(action, verbs[action], ids[first : first + step], entry)
            for first in range(0, len(ids), step)
        )

    def _step(
        self, action: BulkAction, verb: Callable[[int], object], ids: list[int], entry: int
    ) -> int:
        """Run one transaction; skip a job whose state no longer allows the action."""
        changed = []
        with self._database.write(durable=True):
            for job_id in ids:
                try:
                    with self._database.savepoint():
                        verb(job_id)
                    changed.append(job_id)
                except (NotFound, TransitionRefused):
                    continue
            self._audit.add(entry, changed, kept=action is not BulkAction.DELETE)
        return len(changed)

    def _matching(self, action: BulkAction, wanted: JobFilter, max_id: int | None) -> list[int]:
        """Return the jobs that the action changes, as they are at one moment, in its order."""
        ids: list[int] = []
        with self._database.snapshot():
            for status in sorted(_APPLIES_TO[action]):
                if wanted.status in (None, status):
                    ids += self._jobs.matching_ids(replace(wanted, status=status), max_id)
            links = self._dependencies.order_of(action, ids)
        return in_order(sorted(ids), links)


def _in_words(wanted: JobFilter, max_id: int | None) -> str:
    """`jobs with status=failed, type=mail, id<=900`."""
    parts = [f"{name}={value}" for name, value in asdict(wanted).items() if value is not None]
    if max_id is not None:
        parts.append(f"id<={max_id}")
    return f"jobs with {', '.join(parts)}" if parts else "all jobs"
