"""The export of spans and figures, in this process."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from orpheus import otel
from orpheus.shared.errors import DatabaseBusy
from tests.captured_logs import capture_logs
from tests.http_receiver import Receiver
from tests.machine import wait_until

LOGGERS = [logging.getLogger(name) for name in ("opentelemetry.exporter", "opentelemetry.sdk")]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    monkeypatch.setattr(otel, "_tracer", otel._tracer)
    monkeypatch.setattr(otel._OneWarning, "told", False)
    before = [(logger, logger.propagate, logger.handlers) for logger in LOGGERS]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    others = {*threading.enumerate()}
    yield lambda endpoint, **options: otel.start(endpoint, "host", "worker-1", **options)
    otel.stop(0.1)
    # One that still tries again would draw random numbers in the tests that follow.
    wait_until(lambda: not {*threading.enumerate()} - others, "the end of the exporters")
    for logger, propagate, handlers in before:
        logger.propagate, logger.handlers = propagate, handlers


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a collector that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_collector_that_never_answers_holds_nobody_up(
    start: Callable[..., None], silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    start(silent)
    began_s = time.monotonic()
    for _ in range(3_000):  # the queue has room for 2,048
        with otel.submit_span("add"):
            pass
    otel.stop(0.2)
    assert time.monotonic() - began_s < 5


def test_a_collector_that_is_away_is_one_warning(
    start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with capture_logs() as logs:
        start(f"http://127.0.0.1:{port}")
        for _ in range(3):
            with otel.submit_span("add"):
                pass
            time.sleep(0.05)
        wait_until(lambda: logs, "the warning")
        otel.stop(0.1)
    [warning] = logs
    assert warning["event"] == "otel_not_exported"
    assert str(port) in warning["reason"]


def test_the_exporter_that_an_application_has_set_gets_the_spans(
    start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    before = otel._tracer
    start("http://127.0.0.1:1", for_jobs=True)
    assert (otel._tracer, otel._end) == (before, [])


def families() -> Iterator[Any]:
    yield GaugeMetricFamily("size", "Its size.", value=7)
    jobs = CounterMetricFamily("jobs", "Jobs.", labels=("queue",))
    jobs.add_metric(("mail",), 3)
    yield jobs
    runs = HistogramMetricFamily("runs", "Runs.", labels=("outcome",))
    runs.add_metric(("failed",), buckets=[("0.5", 1), ("1", 4), ("+Inf", 6)], sum_value=9.5)
    runs.add_metric(("lost",), buckets=[("0.5", 0), ("1", 0), ("+Inf", 0)], sum_value=0)
    yield runs


def test_figures_are_exported_as_metrics_shows_them(
    start: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-jobs")
    answers = [DatabaseBusy("locked"), None]

    def figures() -> Iterator[Any]:
        error = answers.pop(0) if answers else None
        if error is not None:
            raise error
        return families()

    collector = Receiver()
    try:
        with capture_logs() as logs:
            start(collector.url, figures=figures)
            wait_until(lambda: collector.requests, "the figures")
    finally:
        otel.stop(1)
        collector.close()
    assert [entry["event"] for entry in logs] == ["otel_figures_not_read"]
    (part,) = ExportMetricsServiceRequest.FromString(collector.requests[0][3]).resource_metrics
    resource = {item.key: item.value.string_value for item in part.resource.attributes}
    assert resource["service.name"] == "shop-jobs"
    assert resource["service.instance.id"] == "host/worker-1"
    size, jobs, runs = part.scope_metrics[0].metrics
    assert [metric.name for metric in (size, jobs, runs)] == ["size", "jobs", "runs"]
    assert size.gauge.data_points[0].as_double == 7
    assert jobs.sum.is_monotonic
    assert jobs.sum.data_points[0].as_double == 3
    assert jobs.sum.data_points[0].attributes[0].value.string_value == "mail"
    failed, lost = runs.histogram.data_points
    assert (failed.count, failed.sum, lost.count) == (6, 9.5, 0)
    assert list(failed.bucket_counts) == [1, 3, 2]
    assert list(failed.explicit_bounds) == [0.5, 1]
    assert failed.attributes[0].value.string_value == "failed"
