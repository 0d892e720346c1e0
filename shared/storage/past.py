"""The figures of a minute or an hour of the past, by queue and type: adding and reading them.

Pure. Waits and runs are histograms: the first bucket that has any, then the count of it and of each
bucket that follows. Their buckets are wider than those of the totals (totals.py), as there are many
of these rows: a percentile may be wrong by half.
"""

import base64
import math
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from orpheus.shared.domain.jobs import Status
from orpheus.shared.storage.totals import BOUNDS_US, ENDED, RAN, RETRIED, WAITED, QueueTotal

MINUTE_S, HOUR_S = 60, 3600
MOST_FIGURES = 100
"""Of one minute or hour: further queues are counted as the queue ''."""

_BOUNDS_US: tuple[int, ...] = tuple(
    step * 10**power for power in range(9) for step in (100, 160, 250, 400, 630)
)
"""Upper bounds of the buckets, followed by one for longer times. They are part of the schema."""
_BUCKET = [bisect_left(_BOUNDS_US, bound_us) for bound_us in BOUNDS_US] + [len(_BOUNDS_US)]
"""By bucket of the totals, the bucket here that it is a part of."""

Key = tuple[str, str]
"""Queue and type."""
Counts = Sequence[int]
"""A histogram; empty if nothing is counted."""


class Figures(msgspec.Struct, array_like=True):
    """What happened to the jobs of a queue and type. Stored as a JSON array: the order stays."""

    queue: str
    type: str
    submitted: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    """Attempts that failed or were lost, and after which the job is tried again."""
    ran_ms: int = 0
    """How long all attempts that ended ran."""
    waits: Counts = ()
    runs: Counts = ()

    def add(self, other: "Figures") -> None:
        """Add other figures to these."""
        self.submitted += other.submitted
        self.done += other.done
        self.failed += other.failed
        self.cancelled += other.cancelled
        self.retried += other.retried
        self.ran_ms += other.ran_ms
        self.waits = _added(self.waits, other.waits)
        self.runs = _added(self.runs, other.runs)


_decode = msgspec.json.Decoder(list[Figures]).decode


def figures_of_text(text: str) -> list[Figures]:
    """Return stored figures. Raises ValueError."""
    try:
        return _decode(zlib.decompress(base64.b64decode(text)))
    except zlib.error as error:
        raise ValueError(error) from error


def text_of(figures: Iterable[Figures]) -> str:
    """Return figures as they are stored: as JSON, compressed, which takes half the room."""
    return base64.b64encode(zlib.compress(msgspec.json.encode(list(figures)))).decode()


def figures_of_totals(rows: Iterable[QueueTotal]) -> dict[Key, Figures]:
    """Return the figures of rows of the totals."""
    found: dict[Key, Figures] = {}
    for queue, job_type, measure, outcome, bucket, n, total, _ in rows:
        figures = found.setdefault((queue, job_type), Figures(queue, job_type))
        if measure == ENDED:
            setattr(figures, Status(outcome), getattr(figures, Status(outcome)) + n)
        elif measure == RETRIED:
            figures.retried += n
        elif measure == WAITED:
            figures.waits = _added(figures.waits, (_BUCKET[bucket], n))
        elif measure == RAN:
            figures.ran_ms += total
            figures.runs = _added(figures.runs, (_BUCKET[bucket], n))
    return found


def merged(before: Iterable[Figures], more: Mapping[Key, Figures]) -> list[Figures]:
    """Return figures with others added. Queues beyond `MOST_FIGURES` are counted as ''."""
    kept = {(figures.queue, figures.type): figures for figures in before}
    for (queue, job_type), figures in more.items():
        is_new = (queue, job_type) not in kept and len(kept) >= MOST_FIGURES
        key = ("" if is_new else queue, job_type)
        kept.setdefault(key, Figures(*key)).add(figures)
    return [*kept.values()]


def _added(one: Counts, other: Counts) -> Counts:
    """Return the sum of two histograms."""
    if not one or not other:
        return one or other
    first = min(one[0], other[0])
    counts = [0] * (max(one[0] + len(one), other[0] + len(other)) - 1 - first)
    for start, *numbers in (one, other):
        for index, n in enumerate(numbers, start - first):
            counts[index] += n
    return [first, *counts]


def percentile_s(counts: Counts, part: float) -> float | None:
    """Return the time in seconds that `part` (0.95: 95 %) do not exceed; None if there is none.

    Times are taken to lie evenly in a bucket; the last one has no end, and counts as its beginning.
    """
    if not counts:
        return None
    first, numbers = counts[0], counts[1:]
    wanted, before = max(1, math.ceil(part * sum(numbers))), 0
    for index, n in enumerate(numbers, first):
        if n and before + n >= wanted:
            lower_us = _BOUNDS_US[index - 1] if index else 0
            upper_us = _BOUNDS_US[min(index, len(_BOUNDS_US) - 1)]
            return (lower_us + (upper_us - lower_us) * ((wanted - before) / n)) / 1_000_000
        before += n
    return None


def points_of(
    rows: Iterable[tuple[int, str]], step_s: int, by: str, name: str | None
) -> dict[str, dict[int, Figures]]:
    """Return the figures by name (of the queue or the type: `by`) and by time, in steps.

    `rows`: the beginning of each minute or hour, and its stored figures. A step in which nothing
    happened is left out. Raises ValueError.
    """
    points: dict[str, dict[int, Figures]] = {}
    for at_s, text in rows:
        step_at_s = at_s - at_s % step_s
        for figures in figures_of_text(text):
            named = figures.queue if by == "queue" else figures.type
            if name is None or named == name:
                steps = points.setdefault(named, {})
                steps.setdefault(step_at_s, Figures("", "")).add(figures)
    return points
