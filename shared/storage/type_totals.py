"""What each job type costs: its attempts by outcome, how long they waited and ran, CPU and memory.

Counted as the totals of all types are (totals.py), in finer buckets, with the sum and the largest
value of each bucket: people compare the percentiles of types, and those from the buckets of
totals.py were up to twice the true ones. Only buckets with a value have a row, a dozen for most
types. Only described types have rows of their own: the others are counted as one.
"""

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.jobs import Outcome
from orpheus.shared.storage.totals import BOUNDS_S, RAN, WAITED, Row, TypeTotal

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

    type: str
    outcome: str
    waited_ms: int
    ran_ms: int
    cpu_us: int | None = None
    rss_bytes: int | None = None


def rows_by_type(attempts: Iterable[MeasuredAttempt]) -> list[TypeTotal]:
    """Return the rows that a transaction adds to the totals by type."""
    found: dict[tuple[str, str, str, int], list[int]] = {}

    def add(key: tuple[str, str, str, int], value: int) -> None:
        counted = found.get(key)
        if counted is None:
            found[key] = [1, value, value]
            return
        counted[0] += 1
        counted[1] += value
        counted[2] = max(counted[2], value)

    for type_, outcome, waited_ms, ran_ms, cpu_us, rss_bytes in attempts:
        add((type_, WAITED, "", bisect_left(BOUNDS_US, waited_ms * 1000)), waited_ms)
        add((type_, RAN, outcome, bisect_left(BOUNDS_US, ran_ms * 1000)), ran_ms)
        if cpu_us is not None:
            add((type_, CPU, "", bisect_left(BOUNDS_US, cpu_us)), cpu_us)
        if rss_bytes is not None:
            add((type_, MEMORY, "", 0), rss_bytes)
    return [(*key, n, total, most) for key, (n, total, most) in found.items()]


def rows_of_all(by_type: Iterable[TypeTotal]) -> list[Row]:
    """Return what a transaction adds to the times of all types together, in their buckets."""
    found: dict[tuple[str, str, int], list[int]] = {}
    for _, measure, outcome, bucket, n, sum_ms, _ in by_type:
        if measure in (WAITED, RAN):
            counted = found.setdefault((measure, outcome, _COARSE[bucket]), [0, 0])
            counted[0] += n
            counted[1] += sum_ms
    return [(*key, n, sum_ms) for key, (n, sum_ms) in found.items()]


class Bucket(msgspec.Struct, frozen=True):
    """How many values a bucket has, their sum and the largest of them, in seconds."""

    n: int
    sum_s: float
    most_s: float

    def value_s(self, lower_s: float, part: float) -> float:
        """Return the value that `part` of them (0.95: 95 %) do not exceed; all are over `lower_s`.

        The values are taken to grow as a power of their rank, the one that gives the known mean and
        maximum: evenly, if the mean is in the middle.
        """
        above_s, span_s = self.sum_s / self.n - lower_s, self.most_s - lower_s
        if above_s <= 0 or span_s <= above_s:
            return self.most_s
        return lower_s + span_s * math.pow(part, span_s / above_s - 1)


class Distribution(msgspec.Struct, frozen=True):
    """Times by bucket: those of `BOUNDS_US` by their index, and one more for longer times."""

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

        It is interpolated in a bucket, so it is wrong by a bucket's width at most: by a quarter. It
        is much nearer as a rule, as the mean of each bucket is known.
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
    """Return the figures by type, in the order of their names, from the rows of `rows_by_type`."""
    ended: dict[str, Counter[Outcome]] = defaultdict(Counter)
    times: dict[tuple[str, str], dict[int, Bucket]] = defaultdict(dict)
    peaks: dict[str, int] = {}
    for name, measure, outcome, index, n, total, most in rows:
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
