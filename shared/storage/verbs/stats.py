"""Figures about jobs, from kept counts and bounded reads."""

from collections import defaultdict
from collections.abc import Sequence

from orpheus.shared.domain.jobs import Status, waits_since_ms
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
"""How many whole minutes before this one count for what comes and ends in a queue."""
_RUN_MINUTES = 15
"""How many count for how long a job of a queue runs."""
_MINUTE_MS = 60_000
_MOST_CAME = 100_000
_LATEST = 1_000
"""How many jobs that ended last the percentiles are of."""


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
        for _, status, n in self._database.all(self._sql["finished-by-minute"], since):
            ended[Status(status)] += n
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

    def flows(self) -> dict[str, Flow]:
        """Return how many jobs came and ended in this minute and the last, by queue.

        Of those that came, the jobs that are still kept are counted, 100,000 of a queue at most.
        """
        since, passed_ms = self._lately(_FLOW_MINUTES)
        passed = passed_ms / _MINUTE_MS
        first_minute = self._minute() - _RUN_MINUTES
        with self._database.snapshot():
            ended = {
                queue: figures
                for queue, *figures in self._database.all(
                    self._sql["ended-by-queue"], first_minute, since
                )
            }
            first_id = self._first_id_since(since * _MINUTE_MS)
            sql, flows = self._sql["newest-of-queue"], {}
            for queue in self.counts_by_queue().keys() | ended.keys():
                came = self._database.value(sql, queue, first_id, _MOST_CAME)
                n_ended, done, ran_ms = ended.get(queue, (0, 0, 0))
                run_s = ran_ms / done / 1000 if done else None
                flows[queue] = Flow(came / passed, n_ended / passed, run_s)
        return flows

    def _first_id_since(self, since_ms: int) -> int:
        """Return the id from which on jobs were submitted since a time: ids follow the clock."""
        low, high = (
            1,
            int(self._database.value(self._database.sql("jobs.sql")["newest-id"]) or 0) + 1,
        )
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

        Only types that failed `least` times and still have a failed job.
        """
        first = self._minute() - minutes
        return dict(self._database.all(self._sql["only-failed"], first, least))

    def latencies(self) -> tuple[Latency, Latency]:
        """Return how long jobs waited for a worker, and how long their last attempt ran."""
        newest = [(status, _LATEST) for status in (Status.DONE, Status.FAILED)]
        rows = self._database.run_many(self._sql["latest-runs"], newest)
        started = [
            (started_ms - waits_since_ms(run_at_ms, freed_ms), ended_ms - started_ms)
            for _, run_at_ms, freed_ms, started_ms, ended_ms in sorted(
                rows, key=lambda row: row[0]
            )[-_LATEST:]
            if started_ms is not None and ended_ms is not None
        ]
        waits = [max(0, waited_ms) for waited_ms, _ in started]
        runs = [max(0, ran_ms) for _, ran_ms in started]
        return _latency(waits), _latency(runs)

    def _lately(self, minutes: int) -> tuple[int, int]:
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
