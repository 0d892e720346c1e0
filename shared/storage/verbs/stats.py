"""Figures about jobs, from kept counts and bounded reads."""

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orpheus.shared.domain.drain import MOST_SILENT_S
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.paces import MOST_MINUTES, DoneInMinute, Pace, pace_of
from orpheus.shared.domain.waits import waits_since_ms
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.figures import DueInQueue, Flow, LatelyEnded, Latency, Minute
from orpheus.shared.storage.totals import ENDED, RAN, WAITED, Histogram, histograms_of
from orpheus.shared.storage.type_totals import TypeFigures, figures_of

_LATELY_MINUTES = 5
"""The time over which figures per minute are taken."""
_FLOW_MINUTES = 1
"""The same for what comes and ends in a queue: over five, a batch would look like growth."""
_MINUTE_MS = 60_000
_MOST_PROBES = 1_000
_MOST_WALKED = 10_000
"""How many jobs of a queue and priority are looked at: so many are freed if all workers die."""
_MOST_WALKED_OF_ALL = 100_000
_LEAST_PARKED, _MOST_PARKED = 50, 1_000
"""How many parked jobs are looked at: of each queue, of all queues. Each takes a row lookup."""
_MOST_COUNTED = 10_000
_MOST_CAME = 100_000
_MOST_ENDED = 2_000
_MOST_SILENT_MS = MOST_SILENT_S * 1000


class _Came(NamedTuple):
    n: int
    first_id: int
    last_id: int


class _Head(NamedTuple):
    """The first due job of a queue and priority."""

    queue: str
    priority: int
    run_at_ms: int
    freed_at_ms: int | None

    @property
    def since_ms(self) -> int:
        return waits_since_ms(self.run_at_ms, self.freed_at_ms)


class Stats:
    """Figures of the whole system; none reads more than a bounded part of the tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("counts.sql")

    def counts(self) -> dict[Status, int]:
        """Return the exact number of jobs by status."""
        totals = dict.fromkeys(Status, 0)
        for _, status, n in self._database.all(self._sql["counts"]):
            totals[Status(status)] += n
        return totals

    def counts_by_queue(self) -> dict[str, dict[Status, int]]:
        """Return the exact number of jobs by queue and status."""
        queues: dict[str, dict[Status, int]] = defaultdict(lambda: dict.fromkeys(Status, 0))
        for queue, status, n in self._database.all(self._sql["counts"]):
            queues[queue][Status(status)] = n
        return dict(queues)

    def ended(self) -> dict[Status, int]:
        """Return how many jobs ended by terminal status, since the database was created."""
        ended = {Status.DONE: 0, Status.FAILED: 0, Status.CANCELLED: 0}
        for status, _, n, _ in self._database.all(self._sql["totals"], ENDED):
            ended[Status(status)] = n
        return ended

    def waits(self) -> Histogram:
        """Return how long all attempts that ended had waited for a worker."""
        return histograms_of(self._database.all(self._sql["totals"], WAITED)).get("", Histogram())

    def runs(self) -> dict[str, Histogram]:
        """Return how long all attempts that ended ran, by outcome."""
        return histograms_of(self._database.all(self._sql["totals"], RAN))

    def types(self) -> list[TypeFigures]:
        """Return what the attempts of each type cost, by name."""
        return figures_of(self._database.all(self._sql["type-totals"]))

    def finished_in(self, minutes: int) -> LatelyEnded:
        """Return how many jobs ended in this minute and the `minutes` before it."""
        since, passed_ms = self._lately(minutes)
        ended = {Status.DONE: 0, Status.FAILED: 0, Status.CANCELLED: 0}
        for status, n in self._database.all(self._sql["finished-since"], since):
            ended[Status(status)] = n
        per_minute = sum(ended.values()) * _MINUTE_MS / passed_ms
        return LatelyEnded(since * _MINUTE_MS, ended, per_minute)

    def finished_by_type(self, minutes: int) -> dict[str, dict[Status, int]]:
        """Return what ended in this minute and the `minutes` before it, by type and status.

        Types that are not described are one, named ''.
        """
        since = self._minute() - minutes
        ended: dict[str, dict[Status, int]] = defaultdict(dict)
        for job_type, status, n in self._database.all(self._sql["finished-since-by-type"], since):
            ended[job_type][Status(status)] = n
        return dict(ended)

    def ran_by_queue(self, minutes: int) -> dict[str, int]:
        """Return how many jobs were done or failed, by queue; one without an entry has none."""
        return dict(self._database.all(self._sql["ran-since-by-queue"], self._minute() - minutes))

    def runs_per_s(self) -> dict[str, float]:
        """Return how many jobs were done or failed per second in this minute and the last."""
        since, passed_ms = self._lately(_FLOW_MINUTES)
        ran = self._database.all(self._sql["ran-since-by-queue"], since)
        return {queue: n * 1000 / passed_ms for queue, n in ran}

    def by_minute(self, minutes: int) -> list[Minute]:
        """Return the last `minutes` minutes, oldest first, also those in which no job ended."""
        first = self._minute() - minutes + 1
        ended: dict[int, dict[str, int]] = defaultdict(dict)
        for minute, status, n in self._database.all(self._sql["finished-by-minute"], first):
            ended[minute][status] = n
        return [
            Minute(
                minute * _MINUTE_MS,
                ended[minute].get(Status.DONE, 0),
                ended[minute].get(Status.FAILED, 0),
                ended[minute].get(Status.CANCELLED, 0),
            )
            for minute in range(first, first + minutes)
        ]

    def done_per_minute(self) -> dict[str, float]:
        """Return the jobs done per minute lately, by queue."""
        since, passed_ms = self._lately()
        done: dict[str, int] = defaultdict(int)
        for queue, _, n, _ in self._database.all(self._sql["done-since-by-queue"], since):
            done[queue] += n
        return {queue: n / (passed_ms / _MINUTE_MS) for queue, n in done.items()}

    def paces(
        self, opened_ms: Mapping[str, int] = {}, waiting_s: Mapping[str, float] = {}
    ) -> dict[str, Pace]:
        """Return how fast jobs were done lately, by queue. See `pace_of`."""
        now_ms = self._database.clock.wall_ms()
        by_queue: dict[str, list[DoneInMinute]] = defaultdict(list)
        since = self._lately(MOST_MINUTES)[0]
        for queue, *done in self._database.all(self._sql["done-since-by-queue"], since):
            by_queue[queue].append(DoneInMinute(*done))
        return {
            queue: pace_of(minutes, now_ms, opened_ms.get(queue, 0), waiting_s.get(queue, 0.0))
            for queue, minutes in by_queue.items()
        }

    def flows(self, only: Container[str] | None = None) -> dict[str, Flow]:
        """Return how many jobs came and ended per minute in this minute and the last, by queue.

        `only`: of these queues.

        The jobs that came are those with the greatest ids, as far as they are still kept. A bounded
        number of them is read for each queue. If more came, the rate is at least that number a
        minute. A shorter time counts as a minute: a batch that came in a second is not 60 batches.
        """
        since, passed_ms = self._lately(_FLOW_MINUTES)
        passed = passed_ms / _MINUTE_MS
        now_ms = since * _MINUTE_MS + passed_ms
        flows = {}
        with self._database.snapshot():
            rows = self._database.all(self._sql["ended-since-by-queue"], since)
            ended: dict[str, int] = dict(rows)
            first_id = self._first_id_since(since * _MINUTE_MS)
            for queue in _of(only, self.counts_by_queue().keys() | ended.keys()):
                ended_per_minute = ended.get(queue, 0) / passed
                came = self._came(queue, first_id)
                if not came.n:
                    flows[queue] = Flow(0.0, ended_per_minute)
                    continue
                first_ms = self._created_from(came.first_id)[1]
                last_ms = self._created_from(came.last_id)[1]
                took_ms = now_ms - first_ms if came.n == _MOST_CAME else passed_ms
                flows[queue] = Flow(
                    came.n / max(1.0, took_ms / _MINUTE_MS),
                    ended_per_minute,
                    came_for_s=(last_ms - first_ms) / 1000,
                    silent_s=max(0, now_ms - last_ms) / 1000,
                )
        return flows

    def silent_s(self, queues: Iterable[str]) -> dict[str, float]:
        """Return for how long at least no job of each of these queues has ended by itself.

        It is two minutes at most. If none of a queue is among the newest 2,000 that ended, only the
        minute of its last one is known.
        """
        now_ms = self._database.clock.wall_ms()
        since_ms = now_ms - _MOST_SILENT_MS
        last_ms = dict.fromkeys(queues, since_ms)
        rows = self._database.all(self._sql["last-ran-by-queue"], since_ms // _MINUTE_MS)
        minutes: dict[str, int] = dict(rows)
        for status in (Status.DONE, Status.FAILED):
            values = (status.value, since_ms, _MOST_ENDED)
            rows = self._database.all(self._sql["newest-ended"], *values)
            ended_ms: dict[str, int] = {queue: last for queue, _, _, last in rows}
            is_all = sum(n for _, n, _, _ in rows) < _MOST_ENDED
            seen_from_ms = since_ms if is_all else min(first for _, _, first, _ in rows)
            for queue, at_ms in last_ms.items():
                unseen_ms = (minutes[queue] + 1) * _MINUTE_MS if queue in minutes else since_ms
                last = ended_ms.get(queue, min(seen_from_ms, unseen_ms))
                last_ms[queue] = max(at_ms, last)
        return {queue: max(0, now_ms - at_ms) / 1000 for queue, at_ms in last_ms.items()}

    def ended_within(self, within_s: float) -> dict[str, int]:
        """Return how many jobs ended by themselves in a time, of two minutes at most, by queue.

        Only those among the newest 2,000 are counted.
        """
        since_ms = self._database.clock.wall_ms() - min(_MOST_SILENT_MS, round(within_s * 1000))
        counts: dict[str, int] = defaultdict(int)
        for status in (Status.DONE, Status.FAILED):
            values = (status.value, since_ms, _MOST_ENDED)
            for queue, n, _, _ in self._database.all(self._sql["newest-ended"], *values):
                counts[queue] += n
        return counts

    def _came(self, queue: str, first_id: int) -> "_Came":
        """Return how many jobs of a queue have at least this id, up to a bounded number."""
        row = self._database.one(self._sql["newest-of-queue"], queue, first_id, _MOST_CAME)
        assert row is not None  # it counts
        return _Came(*row)

    def _first_id_since(self, since_ms: int) -> int:
        """Return the id from which on jobs were submitted since a time: ids follow the clock."""
        row = self._database.one(self._sql["newest-job"])
        low, high = 1, (row[0] if row and row[0] else 0) + 1
        while low < high:
            middle = (low + high) // 2
            found, created_ms = self._created_from(middle)
            if created_ms >= since_ms:
                high = middle
            else:
                low = found + 1
        return low

    def _created_from(self, job_id: int) -> tuple[int, int]:
        """Return the first job from an id on, and when it was submitted."""
        row = self._database.one(self._sql["first-job-from"], job_id)
        assert row is not None  # there is one with the greatest id, in the same snapshot
        return row[0], row[1]

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
                for queue, by_status in self.counts_by_queue().items()
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

    def only_failed(self, minutes: int, least: int) -> dict[str, int]:
        """Return by type how often its jobs failed in the last `minutes`, if none was done in them.

        Only types that failed `least` times, and of which a job is still failed.
        """
        first = self._minute() - minutes
        return dict(self._database.all(self._sql["only-failed"], first, least))

    def latencies(self) -> tuple[Latency, Latency]:
        """Return how long jobs waited for a worker, and how long their last attempt ran."""
        self._database.number_events()
        rows = self._database.all(self._sql["latest-runs"])
        started = [
            (started_ms - waits_since_ms(run_at_ms, freed_ms), ended_ms - started_ms)
            for run_at_ms, freed_ms, started_ms, ended_ms in rows
            if started_ms is not None
        ]
        waits = [max(0, waited_ms) for waited_ms, _ in started]
        runs = [max(0, ran_ms) for _, ran_ms in started]
        return _latency(waits), _latency(runs)

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
            row = self._database.one(self._sql["first-parked"], name, most, looked_at)
            if row is not None and row[0] is not None:
                found[name] = max(found.get(name, 0), (now_ms - row[0]) / 1000)
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

    def _heads_of(self, queue: str) -> Iterator["_Head"]:
        """Probe the index once for each priority that has due jobs: it is ordered by priority."""
        row = self._database.one(self._sql["first-due"], queue)
        for _ in range(_MOST_PROBES):
            if row is None:
                break
            yield _Head(queue, *row)
            row = self._database.one(self._sql["first-due-below"], queue, row[0])

    def _waits_since_ms(self, head: "_Head", most: int) -> int:
        if head.since_ms == head.run_at_ms:  # those behind it became due later
            return head.since_ms
        values = (head.queue, head.priority, head.since_ms, most)
        row = self._database.one(self._sql["first-waiting"], *values)
        return row[0] if row and row[0] is not None else head.since_ms

    def _lately(self, minutes: int = _LATELY_MINUTES) -> tuple[int, int]:
        """Return the minute with which "lately" begins, and the milliseconds since it began.

        Jobs that ended are counted by whole minutes, those of this minute too. Divided by five,
        the count would rise by a fifth within each minute.
        """
        now_ms = self._database.clock.wall_ms()
        since = now_ms // _MINUTE_MS - minutes
        return since, now_ms - since * _MINUTE_MS

    def _minute(self) -> int:
        return self._database.clock.wall_ms() // _MINUTE_MS


def _of(only: Container[str] | None, queues: Iterable[str]) -> Iterable[str]:
    return queues if only is None else (name for name in queues if name in only)


def _latency(values_ms: Sequence[int]) -> Latency:
    if not values_ms:
        return Latency(None, None)
    ordered = sorted(values_ms)
    return Latency(*(ordered[int(len(ordered) * part)] / 1000 for part in (0.5, 0.95)))
