"""GET /metrics, for Prometheus: figures read from the database at each scrape, in one snapshot.

They describe the whole system, whichever process answers, except for those of slots: these are of
the host that answers. None is kept in memory. Counters and histograms of jobs come from totals in
the database, so they are exact, survive restarts and retention, and cost the same with a million
jobs. docs/metrics.md lists all.

Labels are bounded: slots by the configuration, queues to the 100 with the most jobs and job types
to the 100 with the most attempts (the others are counted together). A worker that runs alone counts
in its pool but has no series of its own, because each of its starts would leave a dead one behind.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from fastapi import APIRouter, Request
from prometheus_client import Metric, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.responses import Response

from orpheus.api.contract.openapi import problems
from orpheus.api.services import services_of, workers
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.messages.job_types import OTHER, shown_name
from orpheus.shared.messages.workers import Worker
from orpheus.shared.storage import BOUNDS_S, Histogram, Store, TypeFigures

MOST_QUEUES = 100
MOST_TYPES = 100

router = APIRouter(tags=["health"])

Series = Iterable[tuple[tuple[str, ...], float | None]]
"""The values of labels, and the value; None: unknown, and left out."""


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Figures in Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(),
    },
)
async def get_metrics(request: Request) -> Response:
    """Workers, their exits and restarts, jobs, the database, answers and listeners, as of now."""
    services = services_of(request)
    text = await services.readers.read(lambda store: exposition(store, services.options))
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class _Scrape(Collector):
    """Hands metrics that were read already to prometheus_client."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(store: Store, options: ApiHandover) -> bytes:
    """Return every figure in Prometheus' text format."""
    return generate_latest(_Scrape(figures(store, options)))


def figures(store: Store, options: ApiHandover) -> list[Metric]:
    """Return every figure."""
    shown = workers(store, options)  # outside the snapshot: it may try whether a write can begin
    with store.snapshot():
        # Of this host alone: Prometheus asks the API of each, and tells them apart by instance.
        slots = [slot for slot in shown if slot.host == options.host_name and "@" not in slot.slot]
        return [
            *_workers(shown, options.storage.pools),
            *_processes(store, slots),
            *_supervisor(store, options.host_name, slots),
            *_jobs(store),
            *_types(store),
            *_database(store),
        ]


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help, value=value)


def _gauges(name: str, help: str, labels: Sequence[str], series: Series) -> Metric:
    return _filled(GaugeMetricFamily(name, help, labels=labels), series)


def _counter(name: str, help: str, labels: Sequence[str], series: Series) -> Metric:
    return _filled(CounterMetricFamily(name, help, labels=labels), series)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, series: Series) -> Metric:
    for labels, value in series:
        if value is not None:
            family.add_metric(labels, value)
    return family


def _workers(shown: Sequence[Worker], pools: Collection[str]) -> Iterator[Metric]:
    yield _gauges(
        "orpheus_workers",
        "Workers by the state of their slot.",
        ("pool", "state"),
        _states(shown, Role.WORKER, pools),
    )
    programs = [*_states(shown, Role.PROGRAM)]
    if programs:
        yield _gauges(
            "orpheus_programs",
            "Programs by the state of their slot.",
            ("program", "state"),
            programs,
        )


def _states(shown: Iterable[Worker], role: Role, known: Collection[str] = ()) -> Series:
    """Yield how many slots with this role are in each state, by their pools; those `known`, too."""
    found = Counter((slot.pool, slot.state) for slot in shown if slot.role == role)
    for pool in sorted({*known, *(pool for pool, _ in found if pool)}):
        for state in SlotState:
            yield (pool, state.value), found[pool, state]


def _processes(store: Store, slots: Sequence[Worker]) -> Iterator[Metric]:
    yield _counter(
        "orpheus_process_restarts",
        "Starts of a slot's process after its first, since the supervisor started.",
        ("slot",),
        (((slot.slot,), slot.restarts) for slot in slots),
    )
    silent_ms = {row.incarnation: store.processes.silent_ms(row) for row in store.processes.all()}
    ages_ms = ((slot.slot, silent_ms.get(slot.incarnation or "")) for slot in slots)
    yield _gauges(
        "orpheus_heartbeat_age_seconds",
        "Time since a process last wrote its heartbeat row.",
        ("slot",),
        (((name,), None if age_ms is None else age_ms / 1000) for name, age_ms in ages_ms),
    )
    yield _gauges(
        "orpheus_process_resident_memory_bytes",
        "Resident memory of a slot's process.",
        ("slot",),
        (((slot.slot,), slot.rss_bytes) for slot in slots),
    )


def _supervisor(store: Store, host: str, slots: Sequence[Worker]) -> Iterator[Metric]:
    """Yield what the supervisor measures, if one runs: figures of a stopped one are old."""
    if not any(slot.slot == Role.SUPERVISOR for slot in slots):
        return
    yield _counter(
        "orpheus_process_exits",
        "Ends of a slot's processes by cause, since the supervisor started.",
        ("slot", "cause"),
        store.supervision.exit_counts(host).items(),
    )
    gauges = store.supervision.gauges(host)
    if "retention_lag_s" in gauges:
        yield _gauge(
            "orpheus_retention_lag_seconds",
            "How long ago the oldest expired job or event should have been deleted; 0 if none is, "
            "or another host leads.",
            gauges["retention_lag_s"],
        )
    if "loop_lag_s" in gauges:
        yield _gauge(
            "orpheus_supervisor_loop_lag_seconds",
            "How late the supervisor's main loop was lately, at worst.",
            gauges["loop_lag_s"],
        )


def _jobs(store: Store) -> Iterator[Metric]:
    yield _gauges(
        "orpheus_jobs",
        "Jobs by queue and status.",
        ("queue", "status"),
        _by_queue(store.stats.counts_by_queue()),
    )
    yield _counter(
        "orpheus_jobs_finished",
        "Jobs that ended, by how; a job that an operator retries ends again.",
        ("outcome",),
        (((status.value,), n) for status, n in store.stats.ended().items()),
    )
    waits = HistogramMetricFamily(
        "orpheus_job_wait_seconds",
        "Time of each attempt from due, and free to run, to started, counted at its end.",
    )
    _add(waits, (), store.stats.waits())
    yield waits
    runs = HistogramMetricFamily(
        "orpheus_job_run_seconds",
        "Time for which each attempt ran, by outcome, counted at its end.",
        labels=("outcome",),
    )
    found = store.stats.runs()
    for outcome in Outcome:
        _add(runs, (outcome.value,), found.get(outcome, Histogram()))
    yield runs
    yield _counter(
        "orpheus_outbox_rows",
        "Rows of an outbox that became jobs, whose key a live job held, or that were refused.",
        ("outbox", "outcome"),
        (
            ((name, outcome), getattr(counts, outcome))
            for name, counts in store.outboxes.counts().items()
            for outcome in ("accepted", "held", "refused")
        ),
    )


def _by_queue(by_queue: Mapping[str, Mapping[Status, int]]) -> Series:
    """Yield the counts of the largest queues, and those of all others together."""
    by_size = sorted(by_queue, key=lambda queue: (-sum(by_queue[queue].values()), queue))
    named: dict[str, Counter[Status]] = defaultdict(Counter)
    for index, queue in enumerate(by_size):
        named[queue if index < MOST_QUEUES else OTHER].update(by_queue[queue])
    for queue, counts in named.items():
        for status in Status:
            yield (queue, status.value), counts[status]


def _add(family: HistogramMetricFamily, labels: Sequence[str], histogram: Histogram) -> None:
    bounds = [*map(floatToGoString, BOUNDS_S), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    family.add_metric(labels, buckets=buckets, sum_value=histogram.sum_s)


def _types(store: Store) -> Iterator[Metric]:
    by_size = sorted(store.stats.types(), key=lambda figures: (-figures.runs.n, figures.name))
    named: dict[str, list[TypeFigures]] = defaultdict(list)
    for index, figures in enumerate(by_size):
        named[shown_name(figures.name) if index < MOST_TYPES else OTHER].append(figures)
    ended: Counter[tuple[str, str]] = Counter()
    for name, types in named.items():
        for figures in types:
            ended.update({(name, outcome.value): n for outcome, n in figures.ended.items()})
    yield _counter(
        "orpheus_type_attempts",
        "Attempts that ended, by job type and outcome.",
        ("type", "outcome"),
        ended.items(),
    )
    yield _gauges(
        "orpheus_type_quarantined",
        "1 for each job type that is held back as its jobs killed their workers.",
        ("type",),
        (((quarantine.type,), 1) for quarantine in store.quarantines.all()),
    )


def _database(store: Store) -> Iterator[Metric]:
    maintenance = store.maintenance
    yield _gauge(
        "orpheus_oldest_pending_seconds",
        "How long the job that has been due longest waits already; 0 if none is due.",
        store.waiting.oldest_due_s() or 0.0,
    )
    yield _gauge(
        "orpheus_database_bytes", "Size of the database file.", maintenance.database_bytes()
    )
    yield _gauge("orpheus_wal_bytes", "Size of the write-ahead log.", maintenance.wal_bytes())
    free_bytes = maintenance.free_bytes()
    if free_bytes is not None:
        yield _gauge(
            "orpheus_database_free_bytes",
            "Space left on the device that holds the database.",
            free_bytes,
        )
    oldest_s = maintenance.oldest_transaction_s()
    if oldest_s is not None:
        yield _gauge(
            "orpheus_database_oldest_transaction_seconds",
            "How long the oldest transaction of all programs is open already; 0 if none is.",
            oldest_s,
        )
