"""The text of GET /metrics: figures read from the database at each scrape, in one snapshot.

They describe the whole system, whichever process answers, except for those of slots: these are of
the host that answers. None is kept in memory. Counters and histograms of jobs come from totals in
the database, so they are exact, survive restarts and retention, and cost the same with a million
jobs. What this process measures of itself (api/http/measures.py) starts at zero with it; its names
begin with `orpheus_http_`, `orpheus_stream_` and `orpheus_websocket_`. docs/metrics.md lists all.

Labels are bounded: slots by the configuration, routes by their templates, queues to the 100 with
the most jobs and job types to the 100 with the most attempts (the others are counted together). A
worker that runs alone counts in its pool but has no series of its own, because each of its starts
would leave a dead one behind.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import Metric, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from orpheus.api.http.measures import Measures
from orpheus.api.services import workers
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.messages.job_types import OTHER, shown_name
from orpheus.shared.messages.workers import Worker
from orpheus.shared.storage import BOUNDS_S, Histogram, Store, TypeFigures

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MOST_QUEUES = 100
MOST_TYPES = 100


class _Scrape(Collector):
    """Hands metrics that were read already to prometheus_client."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(store: Store, options: ApiHandover, measures: Measures, resets: int) -> bytes:
    """Return every figure in Prometheus' text format (`CONTENT_TYPE`).

    `measures` and `resets` (how often a listener of the stream started over) are of this process.
    """
    shown = workers(store, options)  # outside the snapshot: it may try whether a write can begin
    with store.snapshot():
        # Of this host alone: Prometheus asks the API of each, and tells them apart by instance.
        in_slots = [one for one in shown if one.host == options.host_name and "@" not in one.slot]
        families = [
            _workers(shown, options.storage.pools),
            *_programs(shown),
            *_processes(in_slots, _silent_ms(store)),
            *_supervisor(store, options.host_name, in_slots),
            _jobs(store.stats.counts_by_queue()),
            *_totals(store),
            *_types(store.stats.types()),
            _quarantined(store),
            _outboxes(store),
            *_database(store),
            *_own(measures, resets),
        ]
    return generate_latest(_Scrape(families))


def _workers(shown: Iterable[Worker], pools: Collection[str]) -> Metric:
    family = GaugeMetricFamily(
        "orpheus_workers", "Workers by the state of their slot.", labels=("pool", "state")
    )
    _add_states(family, Role.WORKER, shown, pools)
    return family


def _add_states(
    family: GaugeMetricFamily, role: Role, shown: Iterable[Worker], known: Collection[str] = ()
) -> None:
    """Add how many slots with this role are in each state, by their pools; those `known`, too."""
    found = Counter((one.pool, one.state) for one in shown if one.role == role)
    for pool in sorted({*known, *(pool for pool, _ in found if pool)}):
        for state in SlotState:
            family.add_metric((pool, state.value), found[pool, state])


def _quarantined(store: Store) -> Metric:
    family = GaugeMetricFamily(
        "orpheus_type_quarantined",
        "1 for each job type that is held back as its jobs killed their workers.",
        labels=("type",),
    )
    for one in store.quarantines.all():
        family.add_metric((one.type,), 1)
    return family


def _programs(shown: Iterable[Worker]) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "orpheus_programs", "Programs by the state of their slot.", labels=("program", "state")
    )
    _add_states(family, Role.PROGRAM, shown)
    if family.samples:
        yield family


def _silent_ms(store: Store) -> dict[str, int]:
    """Return how old each heartbeat row is, also while nobody can write one."""
    found = ((one.incarnation, store.processes.silent_ms(one)) for one in store.processes.all())
    return {incarnation: age_ms for incarnation, age_ms in found if age_ms is not None}


def _processes(in_slots: Sequence[Worker], silent_ms: Mapping[str, int]) -> Iterator[Metric]:
    restarts = CounterMetricFamily(
        "orpheus_process_restarts",
        "Starts of a slot's process after its first, since the supervisor started.",
        labels=("slot",),
    )
    age_s = GaugeMetricFamily(
        "orpheus_heartbeat_age_seconds",
        "Time since a process last wrote its heartbeat row.",
        labels=("slot",),
    )
    resident_bytes = GaugeMetricFamily(
        "orpheus_process_resident_memory_bytes",
        "Resident memory of a slot's process.",
        labels=("slot",),
    )
    for one in in_slots:
        label = (one.slot,)
        restarts.add_metric(label, one.restarts)
        if (age_ms := silent_ms.get(one.incarnation or "")) is not None:
            age_s.add_metric(label, age_ms / 1000)
        if one.rss_bytes is not None:
            resident_bytes.add_metric(label, one.rss_bytes)
    yield from (restarts, age_s, resident_bytes)


def _supervisor(store: Store, host: str, in_slots: Sequence[Worker]) -> Iterator[Metric]:
    """Yield what the supervisor measures, if one runs: figures of a stopped one are old."""
    if not any(one.slot == Role.SUPERVISOR for one in in_slots):
        return
    exits = CounterMetricFamily(
        "orpheus_process_exits",
        "Ends of a slot's processes by cause, since the supervisor started.",
        labels=("slot", "cause"),
    )
    for labels, n in store.supervision.exit_counts(host).items():
        exits.add_metric(labels, n)
    yield exits
    gauges = store.supervision.gauges(host)
    if "retention_lag_s" in gauges:
        yield GaugeMetricFamily(
            "orpheus_retention_lag_seconds",
            "How long ago the oldest expired job or event should have been deleted; 0 if none is, "
            "or another host leads.",
            value=gauges["retention_lag_s"],
        )
    loop_lag_s = gauges.get("loop_lag_s")
    if loop_lag_s is not None:
        yield GaugeMetricFamily(
            "orpheus_supervisor_loop_lag_seconds",
            "How late the supervisor's main loop was lately, at worst.",
            value=loop_lag_s,
        )


def _jobs(by_queue: Mapping[str, Mapping[Status, int]]) -> Metric:
    family = GaugeMetricFamily(
        "orpheus_jobs", "Jobs by queue and status.", labels=("queue", "status")
    )
    by_size = sorted(by_queue, key=lambda queue: (-sum(by_queue[queue].values()), queue))
    named = {queue: by_queue[queue] for queue in sorted(by_size[:MOST_QUEUES])}
    if len(by_size) > MOST_QUEUES:
        others: Counter[Status] = Counter()
        for queue in by_size[MOST_QUEUES:]:
            others.update(by_queue[queue])
        named[OTHER] = others
    for queue, counts in named.items():
        for status in Status:
            family.add_metric((queue, status.value), counts[status])
    return family


def _totals(store: Store) -> Iterator[Metric]:
    ended = CounterMetricFamily(
        "orpheus_jobs_finished",
        "Jobs that ended, by how; a job that an operator retries ends again.",
        labels=("outcome",),
    )
    for status, n in store.stats.ended().items():
        ended.add_metric((status.value,), n)
    yield ended
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


def _types(types: Sequence[TypeFigures]) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "orpheus_type_attempts",
        "Attempts that ended, by job type and outcome.",
        labels=("type", "outcome"),
    )
    ran = CounterMetricFamily(
        "orpheus_type_run_seconds",
        "Time that attempts ran, by job type, counted at their end.",
        labels=("type",),
    )
    cpu = CounterMetricFamily(
        "orpheus_type_cpu_seconds",
        "CPU time of the attempts that were measured, by job type.",
        labels=("type",),
    )
    peaks = GaugeMetricFamily(
        "orpheus_type_max_rss_bytes",
        "The largest peak of memory of an attempt, by job type.",
        labels=("type",),
    )
    for name, some in _named(types).items():
        ended: Counter[Outcome] = Counter()
        for one in some:
            ended.update(one.ended)
        for outcome in sorted(ended):
            attempts.add_metric((name, outcome.value), ended[outcome])
        ran.add_metric((name,), sum(one.runs.sum_s for one in some))
        cpu.add_metric((name,), sum(one.cpu.sum_s for one in some))
        measured = [one.peak_bytes for one in some if one.peak_bytes is not None]
        if measured:
            peaks.add_metric((name,), max(measured))
    yield from (attempts, ran, cpu, peaks)


def _named(types: Iterable[TypeFigures]) -> dict[str, list[TypeFigures]]:
    """Return the types with the most attempts by their names, and all others under `_other`."""
    by_size = sorted(types, key=lambda one: (-one.runs.n, one.name))
    named: dict[str, list[TypeFigures]] = defaultdict(list)
    for index, one in enumerate(by_size):
        named[shown_name(one.name) if index < MOST_TYPES else OTHER].append(one)
    return named


def _outboxes(store: Store) -> Metric:
    family = CounterMetricFamily(
        "orpheus_outbox_rows",
        "Rows of an outbox that became jobs, whose key a live job held, or that were refused.",
        labels=("outbox", "outcome"),
    )
    for name, counts in store.outboxes.counts().items():
        family.add_metric((name, "accepted"), counts.accepted)
        family.add_metric((name, "held"), counts.held)
        family.add_metric((name, "refused"), counts.refused)
    return family


def _own(measures: Measures, resets: int) -> Iterator[Metric]:
    yield from measures.answers.collect()
    yield GaugeMetricFamily(
        "orpheus_websocket_clients",
        "WebSockets that are connected to this API process.",
        value=measures.websockets,
    )
    yield CounterMetricFamily(
        "orpheus_stream_resets",
        "Listeners of this API process that lost events, too slow or back too late: they began "
        "anew.",
        value=resets,
    )


def _add(family: HistogramMetricFamily, labels: Sequence[str], histogram: Histogram) -> None:
    bounds = [*map(floatToGoString, BOUNDS_S), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    family.add_metric(labels, buckets=buckets, sum_value=histogram.sum_s)


def _database(store: Store) -> Iterator[Metric]:
    maintenance = store.maintenance
    yield GaugeMetricFamily(
        "orpheus_oldest_pending_seconds",
        "How long the job that has been due longest waits already; 0 if none is due.",
        value=store.waiting.oldest_due_s() or 0.0,
    )
    yield GaugeMetricFamily(
        "orpheus_database_bytes", "Size of the database file.", value=maintenance.database_bytes()
    )
    yield GaugeMetricFamily(
        "orpheus_wal_bytes", "Size of the write-ahead log.", value=maintenance.wal_bytes()
    )
    free_bytes = maintenance.free_bytes()
    if free_bytes is not None:
        yield GaugeMetricFamily(
            "orpheus_database_free_bytes",
            "Space left on the device that holds the database.",
            value=free_bytes,
        )
    oldest_s = maintenance.oldest_transaction_s()
    if oldest_s is not None:
        yield GaugeMetricFamily(
            "orpheus_database_oldest_transaction_seconds",
            "How long the oldest transaction of all programs is open already; 0 if none is.",
            value=oldest_s,
        )
