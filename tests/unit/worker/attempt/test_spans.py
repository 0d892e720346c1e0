"""The spans of attempts and steps, which user code sees as the current ones."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orpheus import AsyncContext, Context, PermanentError, Snooze, job, otel
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.job_types.registry import load_job_types
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


EXPORTER = InMemorySpanExporter()


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> trace.Tracer:
    """The application's own tracer, whose exporter gets the spans of Orpheus, too."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
    monkeypatch.setattr(otel, "_tracer", provider.get_tracer("orpheus"))
    return provider.get_tracer("shop")


@pytest.fixture
def spans() -> Iterator[Callable[[], dict[str, ReadableSpan]]]:
    EXPORTER.clear()
    yield lambda: {span.name: span for span in EXPORTER.get_finished_spans()}
    EXPORTER.clear()


def parent(span: ReadableSpan) -> str:
    assert span.parent is not None
    return f"{span.parent.span_id:016x}"


def own(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


@pytest.fixture
def run(make_lease: Callable[..., Lease], queries: Any) -> Callable[..., RunningAttempt]:
    queries.keep_step = lambda *_: True

    def run_once(**fields: Any) -> RunningAttempt:
        attempt = RunningAttempt(make_lease(traceparent=TRACEPARENT, **fields), time.monotonic())
        Executor(load_job_types([]), {}, NoTimeout(), queries, (), otel).run(attempt)
        return attempt

    return run_once


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_attempt_continues_the_trace_with_its_steps_and_children(
    tracer: trace.Tracer, spans: Any, run: Callable[..., RunningAttempt], kind: str
) -> None:
    def charge() -> str:
        with tracer.start_as_current_span("POST bank"):
            return "paid"

    if kind == "plain":

        @job("t")
        def order(ctx: Context) -> None:
            ctx.step("charge", charge)
            ctx.enqueue("child")
    else:

        @job("t")
        async def order_later(ctx: AsyncContext) -> None:
            await ctx.step("charge", charge)
            ctx.enqueue("child")

    attempt = run()
    found = spans()
    assert found.keys() == {"attempt t", "step charge", "POST bank"}
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {TRACE}
    assert parent(found["attempt t"]) == CALLER
    assert parent(found["step charge"]) == own(found["attempt t"])
    assert parent(found["POST bank"]) == own(found["step charge"])
    [child] = attempt.children
    assert child.traceparent == f"00-{TRACE}-{own(found['attempt t'])}-01"
    assert found["attempt t"].attributes == {
        "orpheus.job.id": 7,
        "orpheus.job.type": "t",
        "orpheus.queue": "default",
        "orpheus.attempt": 1,
        "orpheus.outcome": "succeeded",
    }


@pytest.mark.parametrize(
    ("raised", "outcome", "status"),
    [
        (ValueError("no card"), "failed", "ValueError: no card"),
        (PermanentError("no bank"), "failed", "PermanentError: no bank"),
        (Snooze(5), "snoozed", None),
    ],
)
def test_how_an_attempt_ends_is_in_its_span(
    tracer: trace.Tracer,
    spans: Any,
    run: Callable[..., RunningAttempt],
    raised: Exception,
    outcome: str,
    status: str | None,
) -> None:
    @job("t")
    def fails(token: str = "hush") -> None:
        raise raised

    run()
    span = spans()["attempt t"]
    assert span.attributes["orpheus.outcome"] == outcome
    assert span.status.description == status
    if status is None:
        assert span.events == ()
    else:
        (event,) = span.events
        assert event.attributes["exception.type"] == type(raised).__name__
        assert "raise raised" in event.attributes["exception.stacktrace"]
        assert "hush" not in event.attributes["exception.stacktrace"]


def test_a_result_that_is_not_kept_is_a_failure(
    tracer: trace.Tracer, spans: Any, run: Callable[..., RunningAttempt]
) -> None:
    @job("t")
    def returns_no_json() -> Any:
        return float("nan")

    run()
    assert spans()["attempt t"].attributes["orpheus.outcome"] == "failed"


def test_attempts_at_once_have_spans_of_their_own(
    tracer: trace.Tracer, spans: Any, jobs: Any
) -> None:
    jobs.spans = otel

    @job
    def in_thread() -> None:
        with tracer.start_as_current_span("in a thread"):
            time.sleep(0.01)

    @job
    async def on_loop() -> None:
        with tracer.start_as_current_span("on the loop"):
            await asyncio.sleep(0.01)

    for name in ("in_thread", "on_loop"):
        jobs.start(name, traceparent=TRACEPARENT)
    jobs.end(), jobs.end()
    found = spans()
    assert parent(found["in a thread"]) == own(found["attempt in_thread"])
    assert parent(found["on the loop"]) == own(found["attempt on_loop"])
    assert parent(found["attempt on_loop"]) == parent(found["attempt in_thread"]) == CALLER
