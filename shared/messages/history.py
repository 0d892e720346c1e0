"""The history of queues and job types."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from orpheus.shared.messages.encoding import Seconds, Time, time_of
from orpheus.shared.messages.job_types import OTHER, shown_name
from orpheus.shared.storage import MINUTES_KEPT, OTHER_TYPES, PastFigures, Store, percentile_s

MOST_POINTS = 1_500
_POINTS_BY_DEFAULT = 120
_MOST_NAMES = 50
_STEPS_S = (
    60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 604_800,
)  # fmt: skip
_MINUTE_S, _HOUR_S = _STEPS_S[0], _STEPS_S[6]
_UNITS_S = (("d", 86_400), ("h", _HOUR_S), ("m", _MINUTE_S))


class HistoryPoint(Struct, frozen=True):
    """What happened in one step. Percentiles are null if no attempt ended in it."""

    at: Time
    """When the step began."""
    submitted: int
    done: int
    failed: int
    cancelled: int
    retried: int
    """Attempts that failed or were lost, and after which the job is tried again."""
    wait_p50_s: Seconds | None
    wait_p95_s: Seconds | None
    run_p50_s: Seconds | None
    run_p95_s: Seconds | None
    worker_s: Seconds
    """How long all attempts that ended ran, together."""


class HistoryOfName(Struct, frozen=True):
    """The history of a queue or a job type."""

    name: str
    """`_other`: types that are not described, or all queues beyond the first 100."""
    points: list[HistoryPoint]
    """Oldest first. A step in which nothing happened is missing."""


class History(Struct, frozen=True):
    """What happened in a span of time."""

    by: Literal["queue", "type"]
    since: Time
    until: Time
    step_s: int
    items: list[HistoryOfName]
    """By name: the 50 with the most jobs."""


def chosen_step_s(since_s: int, until_s: int, now_s: int, wanted_s: float | None) -> int:
    """Return the step for a span of time; None: one that suits it.

    Raises ValueError, with a sentence for the user, if it is refused.
    """
    is_old = since_s < now_s - MINUTES_KEPT * _MINUTE_S
    least_s = _HOUR_S if is_old else _MINUTE_S
    span_s = until_s - since_s
    if wanted_s is None:
        return _step_for(span_s / _POINTS_BY_DEFAULT, least_s)
    if span_s > wanted_s * MOST_POINTS:
        nearest = _written(_step_for(span_s / MOST_POINTS, least_s))
        raise ValueError(f"makes more than {MOST_POINTS:,} points; the nearest step is {nearest}")
    if wanted_s % least_s:
        if is_old:
            raise ValueError("must be a multiple of 1h: minutes are kept for two days")
        raise ValueError("must be a multiple of 1m")
    return int(wanted_s)


def _step_for(needed_s: float, least_s: int) -> int:
    return next(
        (step_s for step_s in _STEPS_S if step_s >= needed_s and step_s >= least_s),
        -int(-needed_s // _STEPS_S[-1]) * _STEPS_S[-1],
    )


def _written(step_s: int) -> str:
    unit, unit_s = next((unit, s) for unit, s in _UNITS_S if step_s % s == 0)
    return f"{step_s // unit_s}{unit}"


def history_of(
    store: Store,
    by: Literal["queue", "type"],
    since_s: int,
    until_s: int,
    step_s: int,
    name: str | None,
) -> History:
    """Return the history of a span of time, which begins with a whole step."""
    since_s -= since_s % step_s
    stored = OTHER_TYPES if name == OTHER else name
    found = store.past.points(since_s, until_s, step_s, by, stored)
    busiest = sorted(found, key=lambda name: -_jobs_of(found[name]))[:_MOST_NAMES]
    return History(
        by,
        time_of(since_s * 1000),
        time_of(until_s * 1000),
        step_s,
        [
            HistoryOfName(
                shown_name(name),
                [_point_of(at_s, found[name][at_s]) for at_s in sorted(found[name])],
            )
            for name in sorted(busiest)
        ],
    )


def _jobs_of(steps: Mapping[int, PastFigures]) -> int:
    return sum(
        figures.submitted + figures.done + figures.failed + figures.cancelled
        for figures in steps.values()
    )


def _point_of(at_s: int, figures: PastFigures) -> HistoryPoint:
    waits, runs = figures.waits, figures.runs
    return HistoryPoint(
        time_of(at_s * 1000),
        figures.submitted,
        figures.done,
        figures.failed,
        figures.cancelled,
        figures.retried,
        percentile_s(waits, 0.5),
        percentile_s(waits, 0.95),
        percentile_s(runs, 0.5),
        percentile_s(runs, 0.95),
        figures.ran_ms / 1000,
    )
