"""Figures about jobs, from kept counts and bounded reads."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.paces import (
    LATELY_MINUTES,
    MOST_MINUTES,
    MOST_SILENT_S,
    DoneInMinute,
    Pace,
    pace_of,
)
from orpheus.shared.domain.waits import waits_since_ms
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.figures import Flow, LatelyEnded, Latency, Minute
from orpheus.shared.storage.totals import (
    ENDED,
    RAN,
    WAITED,
    Histogram,
    TypeFigures,
    figures_of,
    histograms_of,
)

_FLOW_MINUTES = 1
"""For what comes and ends in a queue: over LATELY_MINUTES, a batch would look like growth."""
_MINUTE_MS = 60_000
_MOST_CAME = 100_000
_MOST_ENDED = 2_000
_MOST_SILENT_MS = MOST_SILENT_S * 1000


class _Came(NamedTuple):
    n: int
    first_id: int
    last_id: int


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
            for queue in self.counts_by_queue().keys() | ended.keys():
                if only is not None and queue not in only:
                    continue
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

    def ended_within(self, within_s: float) -> dict[str, int] | None:
        """Return how many jobs ended by themselves in a time, of two minutes at most, by queue.

        None: they are 2,000 or more, of which only some are read.
        """
        since_ms = self._database.clock.wall_ms() - min(_MOST_SILENT_MS, round(within_s * 1000))
        counts: dict[str, int] = defaultdict(int)
        for status in (Status.DONE, Status.FAILED):
            values = (status.value, since_ms, _MOST_ENDED)
            rows = self._database.all(self._sql["newest-ended"], *values)
            if sum(n for _, n, _, _ in rows) >= _MOST_ENDED:
                return None
            for queue, n, _, _ in rows:
                counts[queue] += n
        return counts

    def _came(self, queue: str, first_id: int) -> "_Came":
        """Return how many jobs of a queue have at least this id, up to a bounded number."""
        row = self._database.one(self._sql["newest-of-queue"], queue, first_id, _MOST_CAME)
        assert row is not None  # it counts
        return _Came(*row)

    def _first_id_since(self, since_ms: int) -> int:
        """Return the id from which on jobs were submitted since a time: ids follow the clock."""
        low, high = 1, int(self._database.value(self._sql["newest-job"]) or 0) + 1
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

    def _lately(self, minutes: int = LATELY_MINUTES) -> tuple[int, int]:
        """Return the minute with which "lately" begins, and the milliseconds since it began.

        Jobs that ended are counted by whole minutes, those of this minute too. Divided by five,
        the count would rise by a fifth within each minute.
        """
        now_ms = self._database.clock.wall_ms()
        since = now_ms // _MINUTE_MS - minutes
        return since, now_ms - since * _MINUTE_MS

    def _minute(self) -> int:
        return self._database.clock.wall_ms() // _MINUTE_MS


def _latency(values_ms: Sequence[int]) -> Latency:
    if not values_ms:
        return Latency(None, None)
    ordered = sorted(values_ms)
    return Latency(*(ordered[int(len(ordered) * part)] / 1000 for part in (0.5, 0.95)))
