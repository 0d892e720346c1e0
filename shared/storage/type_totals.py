"""What each job type costs: its attempts by outcome, how long they waited and ran, CPU and memory.

Counted as the totals of all types are (totals.py), in the same buckets, with the sum and the
largest value of each bucket. There are at most 131 rows for a type, and only described types have
rows of their own: the others are counted as one.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field
from math import ceil
from typing import NamedTuple

from orpheus.shared.domain.jobs import Outcome
from orpheus.shared.records import dataclass
from orpheus.shared.storage.totals import BOUNDS_MS, BOUNDS_S, RAN, WAITED, TypeTotal

CPU, MEMORY = "cpu", "memory"
OTHER_TYPES = ""
"""The name under which types that are not described are counted. No type has it."""

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
    """Return what a transaction adds."""
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
        add((type_, WAITED, "", bisect_left(BOUNDS_MS, waited_ms)), waited_ms)
        add((type_, RAN, outcome, bisect_left(BOUNDS_MS, ran_ms)), ran_ms)
        if cpu_us is not None:
            add((type_, CPU, "", bisect_left(BOUNDS_S, cpu_us / 1_000_000)), cpu_us)
        if rss_bytes is not None:
            add((type_, MEMORY, "", 0), rss_bytes)
    return [(*key, n, total, most) for key, (n, total, most) in found.items()]


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many values a bucket has, their sum and the largest of them, in seconds."""

    n: int
    sum_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """Times by bucket: those of `BOUNDS_S` by their index, and one more for longer times."""

    buckets: Mapping[int, Bucket] = field(default_factory=dict)

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

        It is interpolated: the times of a bucket count as evenly spread from its lower bound to the
        largest of them. So it is wrong by the width of a bucket at most.
        """
        wanted, before = max(1, ceil(part * self.n)), 0
        for index in sorted(self.buckets):
            bucket = self.buckets[index]
            if before + bucket.n >= wanted:
                lower_s = min(BOUNDS_S[index - 1] if index else 0.0, bucket.most_s)
                return lower_s + (bucket.most_s - lower_s) * (wanted - before) / bucket.n
            before += bucket.n
        return None


@dataclass(frozen=True, slots=True)
class TypeFigures:
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
