"""Totals that only grow: jobs by how they ended, attempts by how long they waited and ran.

They are counted in the transaction of the change, so they are exact and stay when retention deletes
the jobs. A transaction writes them once, so a batch of jobs costs a few rows of one page. A scrape
reads at most a hundred rows, however many jobs there were.

Each described job type is counted in finer buckets, with the sum and the largest value of each, and
with CPU time and memory: people compare the percentiles of types. Other types are counted as one.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.jobs import Outcome

BOUNDS_S = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0)
"""Upper bounds of the buckets, followed by one bucket for longer times. They are part of the
schema: a change needs a migration, as the counted attempts cannot be counted again."""

ENDED, WAITED, RAN = "ended", "waited", "ran"
RETRIED = "retried"

TypeTotal = tuple[str, str, str, int, int, int, int]
"""Type, measure, outcome, bucket, how many, their sum, the largest of them."""
QueueTotal = tuple[str, str, str, str, int, int, int, int]
"""The same, after the queue."""
TotalOfMinute = tuple[int, str, str, str, str, int, int, int, int]
"""The same, after the minute and the queue."""


class Histogram(msgspec.Struct, frozen=True):
    """Times by bucket: `counts` has one number for each of `BOUNDS_S`, and one for longer times."""

    counts: Sequence[int] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0


def histograms_of(rows: Iterable[tuple[str, int, int, int]]) -> dict[str, Histogram]:
    """Return histograms by outcome, from rows (outcome, bucket, count, sum in ms)."""
    counts: dict[str, list[int]] = {}
    sums_ms: Counter[str] = Counter()
    for outcome, bucket, n, sum_ms in rows:
        counts.setdefault(outcome, [0] * (len(BOUNDS_S) + 1))[_COARSE[bucket]] += n
        sums_ms[outcome] += sum_ms
    return {outcome: Histogram(counts[outcome], sums_ms[outcome] / 1000) for outcome in counts}


CPU, MEMORY = "cpu", "memory"
OTHER_TYPES = ""
"""The name under which types that are not described are counted. No type has it."""

_TEN_STEPS = (100, 125, 160, 200, 250, 315, 400, 500, 630, 800)
BOUNDS_US = tuple(
    sorted(
        {step * 10**power for power in range(9) for step in _TEN_STEPS}
        | {round(bound_s * 1_000_000) for bound_s in BOUNDS_S}
    )
)
"""Upper bounds of the buckets in microseconds, followed by one bucket for longer times: ten for
each power of ten (the R10 series of ISO 3) from 100 us to 22 hours, and those of totals.py, so that
each bucket is a part of one of those. They are part of the schema: a change needs a migration."""
_COARSE = [bisect_left(BOUNDS_S, bound_us / 1_000_000) for bound_us in BOUNDS_US] + [len(BOUNDS_S)]
"""By bucket, the bucket of totals.py that it is a part of."""

_UNITS_PER_S = {WAITED: 1000, RAN: 1000, CPU: 1_000_000}
"""Of what is stored: milliseconds, and microseconds of CPU time; of memory, bytes."""


class MeasuredAttempt(NamedTuple):
    """An attempt that has ended. `cpu_us` and `rss_bytes` are None if they were not measured."""

    queue: str
    type: str
    outcome: str
    waited_ms: int
    ran_ms: int
    cpu_us: int | None = None
    rss_bytes: int | None = None


def rows_of(attempts: Iterable[MeasuredAttempt]) -> list[QueueTotal]:
    """Return the rows that a transaction adds to the totals."""
    found: dict[tuple[str, str, str, str, int], list[int]] = {}

    def add(key: tuple[str, str, str, str, int], value: int) -> None:
        counted = found.get(key)
        if counted is None:
            found[key] = [1, value, value]
            return
        counted[0] += 1
        counted[1] += value
        counted[2] = max(counted[2], value)

    for queue, type_, outcome, waited_ms, ran_ms, cpu_us, rss_bytes in attempts:
        add((queue, type_, WAITED, "", bisect_left(BOUNDS_US, waited_ms * 1000)), waited_ms)
        add((queue, type_, RAN, outcome, bisect_left(BOUNDS_US, ran_ms * 1000)), ran_ms)
        if cpu_us is not None:
            add((queue, type_, CPU, "", bisect_left(BOUNDS_US, cpu_us)), cpu_us)
        if rss_bytes is not None:
            add((queue, type_, MEMORY, "", 0), rss_bytes)
    return [(*key, n, total, most) for key, (n, total, most) in found.items()]


class Bucket(msgspec.Struct, frozen=True):
    """How many values a bucket has, their sum and the largest of them, in seconds."""

    n: int
    sum_s: float
    most_s: float

    def value_s(self, lower_s: float, part: float) -> float:
        """Return the value that `part` of them (0.95: 95 %) do not exceed; all are over `lower_s`.

        The values are taken to lie evenly between that and the largest.
        """
        return lower_s + (self.most_s - lower_s) * part


class Distribution(msgspec.Struct, frozen=True):
    """Times by bucket: the buckets of `BOUNDS_US` by index, and one more for longer times."""

    buckets: Mapping[int, Bucket] = msgspec.field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many times there are."""
        return sum(bucket.n for bucket in self.buckets.values())

    @property
    def sum_s(self) -> float:
        """All of them together."""
        return sum((bucket.sum_s for bucket in self.buckets.values()), 0.0)

    def percentile_s(self, part: float) -> float | None:
        """Return the time that so many (0.95: 95 %) do not exceed; None if there is none.

        It is interpolated in a bucket, so it is wrong by a bucket's width at most: by a quarter.
        """
        wanted, before = max(1, math.ceil(part * self.n)), 0
        for index in sorted(self.buckets):
            bucket = self.buckets[index]
            if before + bucket.n >= wanted:
                lower_s = BOUNDS_US[index - 1] / 1_000_000 if index else 0.0
                return bucket.value_s(lower_s, (wanted - before) / bucket.n)
            before += bucket.n
        return None


class TypeFigures(msgspec.Struct, frozen=True):
    """What the attempts of one type cost, since the database was created."""

    name: str
    """`OTHER_TYPES`: all types that were not described when their attempts ended."""
    ended: Mapping[Outcome, int]
    waits: Distribution
    runs: Distribution
    cpu: Distribution
    """Of the attempts that were measured."""
    peak_bytes: int | None


def figures_of(rows: Iterable[TypeTotal]) -> list[TypeFigures]:
    """Return the figures by type, in the order of their names, from rows of the totals."""
    ended: dict[str, Counter[Outcome]] = defaultdict(Counter)
    times: dict[tuple[str, str], dict[int, Bucket]] = defaultdict(dict)
    peaks: dict[str, int] = {}
    for name, measure, outcome, index, n, total, most in rows:
        if measure in {ENDED, RETRIED}:
            continue
        if measure == MEMORY:
            peaks[name] = most
            continue
        unit = _UNITS_PER_S[measure]
        if measure == RAN:
            ended[name][Outcome(outcome)] += n
        so_far = times[name, measure].get(index, Bucket(0, 0.0, 0.0))
        times[name, measure][index] = Bucket(
            so_far.n + n, so_far.sum_s + total / unit, max(so_far.most_s, most / unit)
        )
    return [
        TypeFigures(
            name,
            ended[name],
            Distribution(times[name, WAITED]),
            Distribution(times[name, RAN]),
            Distribution(times[name, CPU]),
            peaks.get(name),
        )
        for name in sorted(ended)
    ]
