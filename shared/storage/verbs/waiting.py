"""What waits now in each queue, and how long it has waited, from kept counts and bounded reads."""

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.waits import waits_since_ms
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.figures import DueInQueue
from orpheus.shared.storage.verbs.stats import Stats

_MOST_PROBES = 1_000
_MOST_WALKED = 10_000
"""How many jobs of a queue and priority are looked at: so many are freed if all workers die."""
_MOST_WALKED_OF_ALL = 100_000
_LEAST_PARKED, _MOST_PARKED = 50, 1_000
"""How many parked jobs are looked at: of each queue, of all queues. Each takes a row lookup."""
_MOST_COUNTED = 10_000


class _Head(NamedTuple):
    """The first due job of a queue and priority."""

    queue: str
    priority: int
    run_at_ms: int
    freed_at_ms: int | None

    @property
    def since_ms(self) -> int:
        return waits_since_ms(self.run_at_ms, self.freed_at_ms)


class Waiting:
    """Figures of the due jobs; none reads more than a bounded part of the tables."""

    def __init__(self, database: Database, stats: Stats) -> None:
        self._database = database
        self._stats = stats
        self._sql = database.sql("counts.sql")

    def due_by_queue(self, only: Container[str] | None = None) -> dict[str, DueInQueue]:
        """Return how many jobs of each queue that has pending ones are due, and when its next is.

        `only`: of these queues. A queue with very many due jobs counts all pending ones as due. The
        time of its next job is known only if it is among the first times of all queues.
        """
        now_ms = self._database.clock.wall_ms()
        with self._database.snapshot():
            rows = self._database.all(self._sql["scheduled-by-queue"], now_ms, _MOST_PROBES)
            scheduled = {queue: (come, next_ms) for queue, come, next_ms in rows}
            pending = {
                queue: by_status[Status.PENDING]
                for queue, by_status in self._stats.counts_by_queue().items()
                if by_status[Status.PENDING] and (only is None or queue in only)
            }
            names = json.dumps(list(pending))
            counted = self._database.all(self._sql["due-of-queues"], names, _MOST_COUNTED)
        found = {}
        for queue, n in counted:
            come, next_ms = scheduled.get(queue, (0, None))
            is_all = n + come >= _MOST_COUNTED
            found[queue] = DueInQueue(pending[queue] if is_all else n + come, next_ms)
        return found

    def oldest_pending_by_queue(self, only: Container[str] | None = None) -> dict[str, float]:
        """Return the longest wait of a due job that needs only a worker, by queue.

        `only`: of these queues. If more than 10,000 jobs at the head of a priority were freed
        lately, one may have waited longer.
        """
        now_ms = self._database.clock.wall_ms()
        names = _of(only, self._active_queues())
        heads = [head for queue in names for head in self._heads_of(queue)]
        freed_later = sum(head.since_ms > head.run_at_ms for head in heads)
        most = min(_MOST_WALKED, _MOST_WALKED_OF_ALL // max(1, freed_later))
        found: dict[str, float] = {}
        for head in heads:
            waited_s = (now_ms - self._waits_since_ms(head, most)) / 1000
            found[head.queue] = max(0, waited_s, found.get(head.queue, 0))
        return found

    def oldest_due_by_queue(
        self, pending: Mapping[str, float] | None = None, only: Container[str] | None = None
    ) -> dict[str, float]:
        """Return the same of all due jobs, also those that wait for room of their key.

        If very many wait so, a part is looked at. `pending`: `oldest_pending_by_queue(only)`, if it
        is known.
        """
        now_ms = self._database.clock.wall_ms()
        found = dict(self.oldest_pending_by_queue(only) if pending is None else pending)
        queues = [name for (name,) in self._database.all(self._sql["queues-with-parked-jobs"])]
        for name in _of(only, queues):
            looked_at = max(_LEAST_PARKED, _MOST_PARKED // len(queues))
            most = max(looked_at, _MOST_COUNTED // len(queues))
            since_ms = self._database.value(self._sql["first-parked"], name, most, looked_at)
            if since_ms is not None:
                found[name] = max(found.get(name, 0), (now_ms - since_ms) / 1000)
        return found

    def oldest_pending_s(self, pending: Mapping[str, float] | None = None) -> float | None:
        """Return the longest wait of a due job; None: none is due. `pending`: as above."""
        found = self.oldest_due(pending)
        return None if found is None else found[1]

    def oldest_due(self, pending: Mapping[str, float] | None = None) -> tuple[str, float] | None:
        """Return the queue of the job that has waited longest, and for how long it has."""
        found = self.oldest_due_by_queue(pending)
        return max(found.items(), key=lambda one: one[1], default=None)

    def _active_queues(self) -> list[str]:
        return [row[0] for row in self._database.all(self._sql["queues-with-due-jobs"])]

    def _heads_of(self, queue: str) -> Iterator[_Head]:
        """Probe the index once for each priority that has due jobs: it is ordered by priority."""
        row = self._database.one(self._sql["first-due"], queue)
        for _ in range(_MOST_PROBES):
            if row is None:
                break
            yield _Head(queue, *row)
            row = self._database.one(self._sql["first-due-below"], queue, row[0])

    def _waits_since_ms(self, head: _Head, most: int) -> int:
        if head.since_ms == head.run_at_ms:  # those behind it became due later
            return head.since_ms
        values = (head.queue, head.priority, head.since_ms, most)
        since_ms = self._database.value(self._sql["first-waiting"], *values)
        return head.since_ms if since_ms is None else int(since_ms)


def _of(only: Container[str] | None, queues: Iterable[str]) -> Iterable[str]:
    return queues if only is None else (name for name in queues if name in only)
