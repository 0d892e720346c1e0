"""Traces and figures for a collector of OpenTelemetry: `[otel]` in the settings, docs/otel.md.

Nothing else imports OpenTelemetry. A worker and the API import this module if `[otel] enabled` is
set; a client does in an application that has imported OpenTelemetry. Only `start` needs the SDK.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orpheus.shared.domain.jobs import Lease, Outcome
from orpheus.shared.domain.lifecycle import ENDINGS, Finished
from orpheus.shared.errors import OrpheusError
from orpheus.shared.helper_threads import without_signals
from orpheus.shared.logs import get_logger
from orpheus.shared.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint, MetricsData
    from opentelemetry.sdk.resources import Resource
    from prometheus_client import Metric

_SCOPE = "orpheus"
_CUMULATIVE_SINCE_NS = 0
"""Unknown: counters are read from the database, and survive every process."""

_tracer = trace.get_tracer(_SCOPE, VERSION)
"""Of the application's own provider, until `start` has made one."""
_end: list[Callable[[], object]] = []
"""What `stop` calls."""

log = get_logger()


# Spans


@contextmanager
def submit_span(job_type: str | None, traceparent: str | None = None) -> Iterator[str | None]:
    """Record a submission, and give the `traceparent` of its jobs; None if there is no trace.

    `job_type`: None for a batch. `traceparent`: that of the caller; None: the current span is the
    parent. The new span is not made the current one: other code may run before it ends.
    """
    parent = _context_of(traceparent) if traceparent else None
    attributes = {"orpheus.job.type": job_type} if job_type else {}
    name = f"submit {job_type or 'batch'}"
    span = _tracer.start_span(name, parent, SpanKind.PRODUCER, attributes)
    try:
        yield _traceparent_of(span)
    except BaseException as error:
        span.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        span.end()


@contextmanager
def attempt_span(lease: Lease) -> Iterator[Callable[[Finished], None]]:
    """Record an attempt, as the current span; give what is to be called with how it ended."""
    attributes: dict[str, str | int] = {
        "orpheus.job.id": lease.job_id,
        "orpheus.job.type": lease.type,
        "orpheus.queue": lease.queue,
        "orpheus.attempt": lease.attempt,
    }
    with _tracer.start_as_current_span(
        f"attempt {lease.type}",
        _context_of(lease.traceparent),
        SpanKind.CONSUMER,
        attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:

        def ended(finished: Finished) -> None:
            outcome = ENDINGS[finished.ending].outcome or Outcome.RELEASED
            span.set_attribute("orpheus.outcome", outcome.value)
            if finished.error is not None:
                error = finished.error
                text = {"type": error.type, "message": error.message}
                if error.traceback:
                    text["stacktrace"] = error.traceback
                span.add_event("exception", {f"exception.{key}": text[key] for key in text})
                span.set_status(StatusCode.ERROR, f"{error.type}: {error.message}")

        yield ended


@contextmanager
def step_span(name: str) -> Iterator[None]:
    """Record the function of a step, as the current span."""
    with _tracer.start_as_current_span(f"step {name}", attributes={"orpheus.step": name}):
        yield


def _context_of(traceparent: str | None) -> Context:
    carrier = {"traceparent": traceparent} if traceparent else {}
    return TraceContextTextMapPropagator().extract(carrier, Context())


def _traceparent_of(span: Span) -> str | None:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")


# Export


def start(
    endpoint: str,
    host: str,
    slot: str,
    *,
    for_jobs: bool = False,
    figures: Callable[[], "Iterable[Metric]"] | None = None,
) -> None:
    """Export the spans of this process, and `figures` every minute, from helper threads.

    `endpoint`: the base URL of the collector; empty: the variables OTEL_* say it. `for_jobs`: the
    code of jobs finds the same exporter; if the application has set its own, that gets all spans.
    """
    global _tracer
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - the SDK
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    if for_jobs and isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    _OneWarning.install()
    names = {
        "service.name": "orpheus",
        "service.instance.id": f"{host}/{slot}",
        "host.name": host,
        "orpheus.slot": slot,
    }
    resource = Resource.create(names).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    with without_signals():
        exporter = OTLPSpanExporter(_url(endpoint, "traces"))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        if figures is not None:
            _start_figures(endpoint, resource, figures)
    _end.append(provider.shutdown)
    _tracer = provider.get_tracer(_SCOPE, VERSION)
    if for_jobs:
        trace.set_tracer_provider(provider)


def stop(within_s: float) -> None:
    """Export what is left, and return after `within_s` at the latest."""

    def end() -> None:
        while _end:
            _end.pop()()

    thread = threading.Thread(target=end, name="otel-end", daemon=True)
    thread.start()
    thread.join(within_s)


def _url(endpoint: str, signal: str) -> str | None:
    return f"{endpoint.rstrip('/')}/v1/{signal}" if endpoint else None


class _OneWarning(logging.Handler):
    """Turns all that the SDK logs about its exports into one warning of this process."""

    told = False

    @classmethod
    def install(cls) -> None:
        for name in ("opentelemetry.exporter", "opentelemetry.sdk"):
            logger = logging.getLogger(name)
            logger.propagate = False  # else it is in the log of the job that runs
            logger.handlers = [cls(logging.WARNING)]

    def emit(self, record: logging.LogRecord) -> None:
        if not _OneWarning.told:
            _OneWarning.told = True
            note = "spans and figures are lost until the collector answers; this is told once"
            log.warning("otel_not_exported", reason=record.getMessage(), note=note)


# Figures


def _start_figures(
    endpoint: str, resource: "Resource", figures: "Callable[[], Iterable[Metric]]"
) -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415

    every_s = int(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "60000")) / 1000
    exporter, ends = OTLPMetricExporter(_url(endpoint, "metrics")), threading.Event()

    def export() -> None:
        while not ends.wait(every_s):
            try:
                exporter.export(_data_of(figures(), resource))
            except OrpheusError as error:
                log.warning("otel_figures_not_read", reason=str(error))

    threading.Thread(target=export, name="otel-figures", daemon=True).start()
    _end.append(ends.set)


def _data_of(figures: "Iterable[Metric]", resource: "Resource") -> "MetricsData":
    """Return what /metrics shows in the form of OpenTelemetry."""
    from opentelemetry.sdk.metrics import export as sdk  # noqa: PLC0415 - the SDK
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

    now_ns, cumulative = time_ns(), sdk.AggregationTemporality.CUMULATIVE

    def data(figure: "Metric") -> Any:
        if figure.type == "histogram":
            return sdk.Histogram(_histograms(figure, now_ns), cumulative)
        points = [
            sdk.NumberDataPoint(sample.labels, _CUMULATIVE_SINCE_NS, now_ns, float(sample.value))
            for sample in figure.samples
        ]
        if figure.type == "counter":
            return sdk.Sum(points, cumulative, is_monotonic=True)
        return sdk.Gauge(points)

    metrics = [
        sdk.Metric(figure.name, figure.documentation, "", data(figure)) for figure in figures
    ]
    scope = sdk.ScopeMetrics(InstrumentationScope(_SCOPE, VERSION), metrics, "")
    return sdk.MetricsData([sdk.ResourceMetrics(resource, [scope], "")])


def _histograms(figure: "Metric", now_ns: int) -> "Sequence[HistogramDataPoint]":
    from opentelemetry.sdk.metrics.export import HistogramDataPoint  # noqa: PLC0415 - the SDK

    found: dict[tuple[tuple[str, str], ...], tuple[dict[float, int], list[float]]] = {}
    for sample in figure.samples:
        labels = tuple((name, value) for name, value in sample.labels.items() if name != "le")
        upto, sums = found.setdefault(labels, ({}, []))
        if sample.name.endswith("_bucket"):
            upto[float(sample.labels["le"])] = int(sample.value)
        elif sample.name.endswith("_sum"):
            sums.append(sample.value)
    points = []
    for labels, (upto, sums) in found.items():
        totals = [0, *upto.values()]
        points.append(
            HistogramDataPoint(
                attributes=dict(labels),
                start_time_unix_nano=_CUMULATIVE_SINCE_NS,
                time_unix_nano=now_ns,
                count=totals[-1],
                sum=sum(sums),
                bucket_counts=[after - before for before, after in pairwise(totals)],
                explicit_bounds=list(upto)[:-1],
                min=None,  # type: ignore[arg-type] # unknown, and may be left out
                max=None,  # type: ignore[arg-type]
            )
        )
    return points
