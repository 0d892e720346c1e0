"""What the attempts of each job type cost, as the API and the command line list it."""

from collections.abc import Mapping

from typing_extensions import TypedDict

from orpheus.shared.domain.jobs import Status
from orpheus.shared.storage import OTHER_TYPES, Distribution, Store, TypeFigures

OTHER = "_other"
"""The name of types that are not described, and of all beyond the first 100 in GET /metrics.
No type and no queue has it: names begin with a letter or a digit."""


class Percentiles(TypedDict):
    """Seconds, interpolated in the buckets of a histogram; null: there is no such attempt."""

    p50: float | None
    p95: float | None
    p99: float | None


class EndedJobs(TypedDict):
    """Jobs of a type that ended. A failed attempt that is retried is not counted."""

    done: int
    failed: int
    cancelled: int


class TypeStats(TypedDict):
    """What all attempts of a type cost, since the database was created."""

    name: str
    """`_other`: all types that were not described when their attempts ended."""
    ended: dict[str, int]
    """Attempts by outcome; an outcome that none had is left out."""
    run_s: Percentiles
    """From when the code of the job was entered until it returned."""
    wait_s: Percentiles
    """From when the job was due and free to run until it started."""
    cpu_s: Percentiles
    """Of the attempts whose CPU time was measured."""
    cpu_total_s: float
    """The CPU time of all these attempts together."""
    max_rss_bytes: int | None
    """The largest peak of an attempt; null: none was measured."""
    last_hour: EndedJobs
    """In this minute and the 60 before it."""


def types_stats_json(store: Store) -> list[TypeStats]:
    """Return what the attempts of each type cost, and how its jobs ended lately, by name."""
    with store.snapshot():
        lately = store.stats.finished_by_type(60)
        return [_type_json(one, lately.get(one.name, {})) for one in store.stats.types()]


def _type_json(figures: TypeFigures, lately: Mapping[Status, int]) -> TypeStats:
    return {
        "name": shown_name(figures.name),
        "ended": {outcome.value: n for outcome, n in sorted(figures.ended.items())},
        "run_s": _percentiles(figures.runs),
        "wait_s": _percentiles(figures.waits),
        "cpu_s": _percentiles(figures.cpu),
        "cpu_total_s": figures.cpu.sum_s,
        "max_rss_bytes": figures.peak_bytes,
        "last_hour": {
            "done": lately.get(Status.DONE, 0),
            "failed": lately.get(Status.FAILED, 0),
            "cancelled": lately.get(Status.CANCELLED, 0),
        },
    }


def shown_name(name: str) -> str:
    """Return the name of a type, or the name of all types that are not described."""
    return OTHER if name == OTHER_TYPES else name


def _percentiles(times: Distribution) -> Percentiles:
    return {
        "p50": times.percentile_s(0.5),
        "p95": times.percentile_s(0.95),
        "p99": times.percentile_s(0.99),
    }
