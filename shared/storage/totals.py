"""Totals that only grow: jobs by how they ended, attempts by how long they waited and ran.

They are counted in the transaction of the change, so they are exact and stay when retention deletes
the jobs. A transaction writes them once, so a batch of jobs costs a few rows of one page. A scrape
reads at most a hundred rows, however many jobs there were.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

BOUNDS_S = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0)
"""Upper bounds of the buckets, followed by one bucket for longer times. They are part of the
schema: a change needs a migration, as the counted attempts cannot be counted again."""

ENDED, WAITED, RAN = "ended", "waited", "ran"

TypeTotal = tuple[str, str, str, int, int, int, int]
"""Type, measure, outcome, bucket, how many, their sum, the largest of them."""
Row = tuple[str, str, int, int, int]
"""Measure, outcome, bucket, how many, milliseconds in all."""


class Histogram(msgspec.Struct, frozen=True):
    """Times by bucket: `counts` has one number for each of `BOUNDS_S`, and one for longer times."""

    counts: Sequence[int] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0


def histograms_of(rows: Iterable[tuple[str, int, int, int]]) -> dict[str, Histogram]:
    """Return histograms by outcome, from rows (outcome, bucket, count, sum in ms)."""
    counts: dict[str, list[int]] = {}
    sums_ms: Counter[str] = Counter()
    for outcome, bucket, n, sum_ms in rows:
        counts.setdefault(outcome, [0] * (len(BOUNDS_S) + 1))[bucket] = n
        sums_ms[outcome] += sum_ms
    return {outcome: Histogram(counts[outcome], sums_ms[outcome] / 1000) for outcome in counts}
