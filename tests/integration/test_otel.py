"""`[otel]` with real processes: a collector gets the trace of a request, and the figures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.http_receiver import Receiver
from tests.machine import wait_until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
JOBS = """
from opentelemetry import trace

from orpheus import AsyncContext, Context, job


@job
def mail(ctx: Context, to: str) -> None:
    with trace.get_tracer("shop").start_as_current_span("smtp"):
        pass


@job
async def order(ctx: AsyncContext) -> None:
    for name in ("charge", "pack", "ship"):
        await ctx.step(name, str, name)
    ctx.enqueue(mail.new(to="ada"))
"""
TOML = """
[pools.default]
workers = 1
concurrency = 2
[jobs]
modules = ["jobs_of_test"]
[otel]
enabled = true
endpoint = "{url}/"
"""


@pytest.fixture
def collector() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def spans_at(collector: Receiver) -> dict[str, Span]:
    """The spans that came, by name."""
    spans: dict[str, Span] = {}
    for _, path, _, body in collector.requests:
        if path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            spans |= {
                span.name: span
                for part in request.resource_spans
                for scope in part.scope_spans
                for span in scope.spans
            }
    return spans


def done_at(collector: Receiver) -> Any:
    """How many jobs are done, by the newest figures."""
    bodies = [body for _, path, _, body in collector.requests if path == "/v1/metrics"]
    if not bodies:
        return None
    (part,) = ExportMetricsServiceRequest.FromString(bodies[-1]).resource_metrics
    metrics = {metric.name: metric for scope in part.scope_metrics for metric in scope.metrics}
    points = metrics["orpheus_jobs_finished"].sum.data_points
    return next(
        point.as_double for point in points if point.attributes[0].value.string_value == "done"
    )


def test_a_request_its_job_steps_and_child_are_one_trace(
    start_system: Callable[..., Any],
    collector: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "jobs_of_test.py").write_text(JOBS)
    file = tmp_path / "orpheus.toml"
    file.write_text(TOML.format(url=collector.url))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # so a stop exports the last spans
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
    system = start_system(config=file)
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    answer = system.client.post("/jobs", json={"type": "order"}, headers=headers)
    job_id = answer.json()["id"]
    assert system.wait_for_job(job_id)["status"] == "done"
    (child,) = system.get("/jobs?type=mail")["items"]
    assert system.wait_for_job(child["id"])["status"] == "done"
    wait_until(lambda: done_at(collector) == 2, "the figures")
    system.stop()

    spans = spans_at(collector)
    parents = {
        "submit order": CALLER,
        "attempt order": "submit order",
        "step charge": "attempt order",
        "step pack": "attempt order",
        "step ship": "attempt order",
        "attempt mail": "attempt order",
        "smtp": "attempt mail",
    }
    assert spans.keys() == parents.keys()
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    ids = {CALLER: CALLER} | {name: span.span_id.hex() for name, span in spans.items()}
    assert {name: ids[parent] for name, parent in parents.items()} == {
        name: span.parent_span_id.hex() for name, span in spans.items()
    }
    attributes = {item.key: item.value for item in spans["attempt order"].attributes}
    assert attributes["orpheus.job.id"].int_value == job_id
    assert attributes["orpheus.outcome"].string_value == "succeeded"
    assert spans["attempt order"].kind == Span.SPAN_KIND_CONSUMER
    assert spans["submit order"].kind == Span.SPAN_KIND_PRODUCER
    assert "otel" not in system.log()
