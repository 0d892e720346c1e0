"""The history: what happened by minute and hour, by queue and type.

Upkeep folds it from what is counted anyway: the totals of this minute, which each transaction
writes, and the rows of new jobs. One transaction takes the totals away and adds them to the
figures, so each is counted once, whoever does it and whenever it is killed. New jobs are counted by
their ids: the last id that was counted is stored with the figures. So a job is missing among the
submitted ones if it is deleted within seconds, or if its transaction stays open for longer.
"""

from collections import defaultdict
from collections.abc import Iterable

from orpheus.shared.storage.database import Database, read_back
from orpheus.shared.storage.past import (
    HOUR_S,
    MINUTE_S,
    Figures,
    Key,
    figures_of_text,
    figures_of_totals,
    merged,
    points_of,
    text_of,
)
from orpheus.shared.storage.totals import ENDED, RETRIED, QueueTotal, TotalOfMinute

_LATE_MS = 5_000
"""Jobs of several hosts are committed out of order by less."""
_MOST_JOBS = 50_000
_MOST_MINUTES = 10
_POSITION = (0, 0)
"""Of the row that has no figures but the id of the last job that was counted."""

_ByMinute = dict[int, dict[Key, Figures]]


class Past:
    """Folds the history, and reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.sql("past.sql")

    def fold(self) -> bool:
        """Add to the figures what was counted since; return whether some is left.

        It takes some milliseconds, of which jobs are counted before the transaction.
        """
        position = self._position()
        now_ms = self._database.clock.wall_ms()
        new = (position, _MOST_JOBS, now_ms - _LATE_MS)
        last = int(self._database.value(self._sql["last-of-new"], *new) or position)
        submitted = self._database.all(self._sql["submitted"], position, last)
        oldest = self._database.value(self._sql["oldest-total"])
        if oldest is None and last == position:
            return False
        with self._database.write(durable=False):
            self._database.lock("history", ["fold"])
            if self._position() != position:
                return True  # another process was first
            by_minute: _ByMinute = defaultdict(dict)
            if oldest is not None:
                by_minute |= self._take_totals(oldest + _MOST_MINUTES)
            for minute, queue, job_type, n in submitted:
                figures = by_minute[minute].setdefault((queue, job_type), Figures(queue, job_type))
                figures.submitted += n
            for minute, found in by_minute.items():
                self._add(MINUTE_S, minute * 60, found)
                self._add(HOUR_S, minute // 60 * HOUR_S, found)
            self._database.run(self._sql["put-figures"], *_POSITION, str(last))
        has_more_totals: bool = oldest is not None and oldest + _MOST_MINUTES <= now_ms // 60_000
        return has_more_totals or sum(row[-1] for row in submitted) >= _MOST_JOBS

    def points(
        self, since_s: int, until_s: int, step_s: int, by: str, name: str | None
    ) -> dict[str, dict[int, Figures]]:
        """Return the figures of a span of time by name and step; see `points_of`."""
        kept_s = MINUTE_S if step_s % HOUR_S else HOUR_S
        rows = self._database.all(self._sql["figures-between"], kept_s, since_s, until_s)
        return read_back(lambda found: points_of(found, step_s, by, name), rows)

    def _position(self) -> int:
        return int(self._database.value(self._sql["figures-of"], *_POSITION) or 0)

    def _take_totals(self, before_minute: int) -> _ByMinute:
        """Take the totals of the first minutes away, and add them to those of minute 0.

        What ended in each of these minutes is kept for as long as events are.
        """
        by_minute: dict[int, list[QueueTotal]] = defaultdict(list)
        for minute, *total in self._database.all(self._sql["take-totals"], before_minute):
            by_minute[minute].append(tuple(total))
        rows = [row for rows in by_minute.values() for row in rows]
        self._database.at_commit.folded += _of_all_minutes(rows)
        self._database.send(
            self._sql["add-finished"],
            [
                (minute, queue, job_type, status, n, ran_ms)
                for minute, totals in by_minute.items()
                for queue, job_type, measure, status, _, n, ran_ms, _ in totals
                if measure == ENDED
            ],
        )
        return {minute: figures_of_totals(totals) for minute, totals in by_minute.items()}

    def _add(self, step_s: int, at_s: int, found: dict[Key, Figures]) -> None:
        text = self._database.value(self._sql["figures-of"], step_s, at_s)
        figures = merged([] if text is None else read_back(figures_of_text, text), found)
        self._database.run(self._sql["put-figures"], step_s, at_s, text_of(figures))


def _of_all_minutes(rows: Iterable[QueueTotal]) -> list[TotalOfMinute]:
    """Return the same totals without minutes and queues. Of retries there are none."""
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    for _, job_type, measure, outcome, bucket, n, total, most in rows:
        if measure != RETRIED:
            so_far = sums.setdefault((job_type, measure, outcome, bucket), [0, 0, 0])
            so_far[:] = so_far[0] + n, so_far[1] + total, max(so_far[2], most)
    return [(0, "", *key, *numbers) for key, numbers in sums.items()]  # type: ignore[misc]
