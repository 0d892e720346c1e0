"""What a client does and returns, whichever kind it is."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from orpheus import Job, otel
from orpheus.client import (
    InvalidJob,
    JobError,
    JobRequest,
    Outcome,
    Status,
    TooLarge,
    TransitionRefused,
    WaitTimedOut,
)
from orpheus.shared.domain import jobs as domain
from orpheus.shared.domain.lifecycle import TERMINAL, Ending, Finished
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.domain.steps import NewStep, StepKind
from tests.api.conftest import Running
from tests.audit_log import entries_of

OPTIONS = {
    "queue": "media",
    "priority": 7,
    "unique_key": "k",
    "tags": ["b", "a", "b"],
    "max_retries": 1,
    "timeout": "2m",
    "on_dependency_failure": "run",
}


def fail(api: Running, lease: domain.Lease) -> None:
    """End a job as a worker would whose handler raised."""
    error = domain.JobError("ValueError", "it broke", "Traceback …")
    assert not api.store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])


def test_a_job_has_the_fields_of_the_api(client: Any, api: Running) -> None:
    submitted = client.submit("add", {"n": 2**60, "t": "ü"}, **OPTIONS)
    shown = api.client.get(f"/jobs/{submitted.id}").json()
    job = client.get(submitted.id)
    assert isinstance(job, Job)
    assert {name for name in shown if not hasattr(job, name)} == set()
    assert job == submitted
    assert job.payload == shown["payload"] == {"n": 2**60, "t": "ü"}
    assert (job.status, job.queue, job.priority) == (Status.PENDING, "media", 7)
    assert (job.unique_key, job.tags, job.max_retries, job.timeout) == ("k", ("b", "a"), 1, 120.0)
    assert (job.error, job.result, job.attempt, job.attempts, job.ended) == (
        None,
        None,
        0,
        (),
        False,
    )
    assert job.created_at == datetime.fromisoformat(shown["created_at"])
    assert job.created_at.tzinfo == UTC and job.finished_at is None
    with pytest.raises(AttributeError):
        job.status = Status.DONE  # type: ignore[misc]
    assert {status for status in Status if client.submit("add").status in TERMINAL} == set()


def test_a_live_job_with_the_same_unique_key_is_returned(client: Any) -> None:
    one = client.submit("add", {"n": 1}, unique_key="k")
    assert client.submit("add", {"n": 2}, unique_key="k") == one
    assert client.submit_many([JobRequest("add", {"n": 3}, unique_key="k")]) == [one.id]
    other = JobRequest("strict", {"n": 1}, unique_key="k")
    with pytest.raises(TransitionRefused, match=f"^unique_key: 'k' is held by job {one.id}, .*add"):
        client.submit(other)
    with pytest.raises(TransitionRefused, match=r"^jobs\.1\.unique_key: 'k' is held by job"):
        client.submit_many([JobRequest("add"), other])
    assert [job.id for job in client.jobs()] == [one.id]


def test_many_jobs_are_one_commit_and_may_name_each_other(client: Any, api: Running) -> None:
    first = client.submit("add")
    commits = api.store.data_changed() and api.store.events.last_seq()
    ids = client.submit_many(
        [
            JobRequest("add", {"n": 1}, ref="one"),
            JobRequest("add", {"n": 2}, depends_on=("one", first.id)),
            JobRequest("strict", {"n": 3}),
        ]
    )
    assert ids == [first.id + n for n in (1, 2, 3)]
    assert client.get(ids[1]).depends_on == (ids[0], first.id)
    assert api.store.events.last_seq() == commits + 3
    assert client.submit_many([]) == []
    assert client.submit_many(JobRequest("add") for _ in range(3)) == [
        ids[-1] + n for n in (1, 2, 3)
    ]


def test_wait_returns_the_job_with_its_attempts(client: Any, api: Running) -> None:
    job = client.submit("add")

    def work() -> None:
        (lease,) = api.lease()
        api.finish(lease, '{"sum": 5}')

    worker = threading.Timer(0.1, work)
    worker.start()
    done = client.wait(job, timeout=60)
    worker.join()
    assert (done.status, done.result, done.ended, done.worker) == (
        Status.DONE, {"sum": 5}, True, "default-1",
    )  # fmt: skip
    (attempt,) = done.attempts
    assert (attempt.number, attempt.outcome, attempt.worker) == (1, Outcome.SUCCEEDED, "default-1")
    assert attempt.started_at.tzinfo == UTC and attempt.error is None
    assert client.wait(done.id) == done == client.get(done)


def test_wait_returns_a_job_that_failed(client: Any, api: Running) -> None:
    job = client.submit("add")
    fail(api, api.lease()[0])
    failed = client.wait(job, timeout="1m")
    assert failed.status is Status.FAILED
    assert (
        failed.error
        == failed.attempts[0].error
        == JobError("ValueError", "it broke", "Traceback …")
    )


@pytest.mark.parametrize("timeout", [0, 0.05, "50ms"])
def test_wait_gives_up_when_its_time_is_over(client: Any, timeout: Any) -> None:
    job = client.submit("add")
    with pytest.raises(WaitTimedOut, match=f"job {job.id} is pending after 0") as told:
        client.wait(job, timeout=timeout)
    assert isinstance(told.value, TimeoutError)


def test_jobs_are_listed_page_by_page_newest_first(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.client.calls.JOBS_OF_A_PAGE", 2)
    ids = [client.submit("add", {"n": n}, tags=["t"] if n % 2 else []).id for n in range(5)]
    assert [job.id for job in client.jobs()] == ids[::-1]
    assert [job.id for job in client.jobs(limit=3)] == ids[:1:-1]
    assert [job.id for job in client.jobs(limit=0)] == []
    assert [job.payload for job in client.jobs(tag="t")] == [{"n": 3}, {"n": 1}]
    assert next(iter(client.jobs(status="pending", type="add", queue="default"))) == client.get(
        ids[-1]
    )
    assert list(client.jobs(status=Status.DONE)) == list(client.jobs(type="strict")) == []
    assert list(client.jobs(q="nothing has this")) == []
    assert [job.id for job in client.jobs(payload="n=3")] == [ids[3]]


def test_jobs_are_listed_by_their_ends_and_errors(
    client: Any, api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.client.calls.JOBS_OF_A_PAGE", 2)
    ids = [client.submit("add", {"n": n}).id for n in range(3)]
    for job_id in (ids[2], ids[0], ids[1]):
        client.cancel(job_id)
    assert {job.id for job in client.jobs(since="2020-01-31T12:00:00Z")} == set(ids)
    ended = client.get(ids[1]).finished_at
    assert ids[1] in [job.id for job in client.jobs(since=ended)]
    assert ids[1] not in [job.id for job in client.jobs(until=ended)]
    assert {job.id for job in client.jobs(since="1h")} == set(ids)
    assert list(client.jobs(until=timedelta(hours=1))) == []
    assert list(client.jobs(error="ValueError", where="jobs.py:12 in f")) == []


def test_a_job_that_waits_is_cancelled_and_retried_and_deleted(client: Any, api: Running) -> None:
    job = client.submit("add", delay="1h")
    soon = client.run_now(job)
    assert soon.run_at < job.run_at and client.run_now(soon.id) == soon
    cancelled = client.cancel(job, reason="a mistake")
    assert (cancelled.status, cancelled.ended) == (Status.CANCELLED, True)
    assert client.retry(job).status is Status.PENDING
    client.cancel(job.id)
    assert client.delete(job) is None
    with pytest.raises(LookupError, match=f"there is no job {job.id}"):
        client.get(job)
    shown = [(one.action, one.target, one.reason) for one in entries_of(api.store, 10)]
    target = f"job {job.id}"
    assert shown[-3] == ("cancel", target, "a mistake") and shown[0] == ("delete", target, None)


def test_a_signal_is_sent_once_and_what_a_function_has_kept_is_read(
    client: Any, api: Running
) -> None:
    first, again = client.signal("approved", 42, {"by": "ada"}), client.signal("approved", "42")
    assert (first.name, first.key, first.payload, first.is_new) == (
        "approved",
        "42",
        {"by": "ada"},
        True,
    )
    assert (again.payload, again.at, again.is_new) == (first.payload, first.at, False)
    assert client.signal("approved", 42, "bob", replace=True).payload == "bob"
    assert client.signal("approved", 42).payload == "bob"
    for name, key, payload in (("a b", "k", 1), ("a", "", 1), ("a", "k", float("nan"))):
        with pytest.raises(InvalidJob):
            client.signal(name, key, payload)
    with pytest.raises(TooLarge):
        client.signal("a", "k", "x" * 2**20)

    job = client.submit("add")
    (lease,) = api.lease()
    for position, name in enumerate(("charge", "ship")):
        api.store.steps.keep(lease, NewStep(name, position, StepKind.STEP, '"paid"', 20))
    fail(api, lease)
    charge, _ = client.steps(job)
    assert (charge.name, charge.result, charge.took_s) == ("charge", "paid", 0.02)
    with pytest.raises(LookupError, match="has kept no step 'shop'"):
        client.retry(job, from_step="shop")
    assert client.retry(job, from_step="ship").status is Status.PENDING
    assert client.steps(job.id) == [charge]


def test_logs_and_events_are_all_read(
    client: Any, api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.client.calls.LINES_OF_A_PAGE", 2)
    monkeypatch.setattr("orpheus.client.calls.EVENTS_OF_A_PAGE", 2)
    job = client.submit("add")
    (lease,) = api.lease()
    lines = [domain.NewLine(1_700_000_000_123, "info", f"line {n}", '{"n": [1]}') for n in range(4)]
    api.store.logs.append(job.id, lease.token, 1, lines)
    api.finish(lease)
    logged = client.logs(job)
    assert [line.line for line in logged] == [f"line {n}" for n in range(4)]
    assert (logged[0].fields, logged[0].level, logged[0].attempt) == ({"n": [1]}, "info", 1)
    assert logged[0].at == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert client.logs(job.id, after=logged[1].id) == logged[2:]
    happened = client.events(job)
    assert [event.kind for event in happened] == ["job.enqueued", "job.started", "job.done"]
    assert [event.job.status for event in happened] == ["pending", "in_progress", "done"]
    assert client.events(job, after=happened[0].seq) == happened[1:]


def test_why_a_job_waits_and_what_is_around_it(client: Any, api: Running) -> None:
    first = client.submit("add", queue="media")
    second = client.submit("add", queue="media", depends_on=[first.id])
    why = client.why(second)
    assert not why.runs
    assert [reason.code for reason in why.reasons] == ["dependency", "no_worker"]
    assert why.reasons[0].by == f"job {first.id}"
    graph = client.graph(first)
    assert [node.id for node in graph.nodes] == [first.id, second.id]
    assert [(edge.job, edge.depends_on) for edge in graph.edges] == [(second.id, first.id)]
    (queue,) = client.queues()
    assert (queue.name, queue.counts["blocked"], queue.due) == ("media", 1, 1)
    assert queue.reason.code == "no_worker"
    assert client.schedules() == []
    api.store.schedules.configure([ScheduleDefinition("often", "add", every_s=90)])
    (schedule,) = client.schedules()
    assert (schedule.name, schedule.every, len(schedule.next_runs)) == ("often", 90.0, 5)
    for method in (client.why, client.graph):
        with pytest.raises(LookupError, match="there is no job 99"):
            method(99)


def test_a_program_puts_its_schedules_at_each_start(client: Any, api: Running) -> None:
    job = JobRequest("strict", {"n": 3}, queue="reports", priority=7)
    timing = {"cron": "0 3 * * *", "timezone": "Europe/Vienna", "overlap": "skip"}
    put = [
        client.schedules.put("nightly", job=job, jitter=timedelta(minutes=5), **timing)
        for _ in range(2)
    ]
    assert put[0] == put[1] == client.schedules()[0]
    assert (put[0].source, put[0].overlap, put[0].jitter, put[0].queue, put[0].priority) == (
        "program", "skip", 300.0, "reports", 7,
    )  # fmt: skip
    changed = client.schedules.put("nightly", job="strict", payload={"n": 4}, every="90s")
    assert (changed.cron, changed.every, changed.in_words) == (None, 90.0, "Every 90 seconds")
    client.schedules.delete("nightly", reason="moved")
    assert client.schedules() == []
    entries = entries_of(api.store, 9)
    assert [(entry.action, entry.reason) for entry in entries] == [
        ("delete", "moved"), ("put", None), ("put", None),
    ]  # fmt: skip


def test_a_schedule_that_cannot_be_put_says_why_and_changes_nothing(
    client: Any, api: Running
) -> None:
    api.store.schedules.configure([ScheduleDefinition("often", "add", every_s=90)])
    job = JobRequest("strict", {"n": 3})
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"job": job}, "cron: is required, or every"),
        ({"job": job, "every": "1h", "cron": "* * * * *"}, "every: cannot be given with cron"),
        ({"job": job, "every": "1 hour"}, "every: '1 hour' is not a duration"),
        ({"job": job, "every": 0.5}, "every: must be at least 1 s"),
        ({"job": job, "cron": "61 * * * *"}, "cron: '61 * * * *': Bad minute"),
        ({"job": job, "cron": "0 0 3 * * *"}, "cron: '0 0 3 * * *' must have five fields"),
        (
            {"job": job, "cron": "0 3 * * *", "timezone": "Vienna"},
            "timezone: 'Vienna' is not known (did you mean 'Europe/Vienna'",
        ),
        ({"job": job, "every": 60, "overlap": "no"}, "overlap: "),
        ({"job": job, "every": 60, "catch_up": "two"}, "catch_up: "),
        ({"job": job, "every": 60, "jitter": "-1"}, "jitter: "),
        ({"job": "strict", "every": 60}, "payload.n: "),
        ({"job": "stritc", "every": 60}, "type: no job type is called 'stritc'"),
        ({"job": job.with_options(timeout=5), "every": 60}, "timeout: is not kept by a schedule"),
    ]
    for given, words in wrong:
        with pytest.raises(InvalidJob, match=f"^[^:]*{re.escape(words)}"):
            client.schedules.put("new", **given)
    with pytest.raises(InvalidJob, match="name: must be 1 to 64 letters"):
        client.schedules.put("a/b", job=job, every=60)
    with pytest.raises(TransitionRefused, match="stands in the configuration file"):
        client.schedules.put("often", job=job, every=60)
    with pytest.raises(TransitionRefused, match="stands in the configuration file"):
        client.schedules.delete("often")
    with pytest.raises(LookupError, match="there is no schedule 'oftne'"):
        client.schedules.delete("oftne")
    assert [schedule.name for schedule in client.schedules()] == ["often"]
    assert entries_of(api.store, 9) == []


def test_a_job_is_part_of_the_trace_in_which_it_is_submitted(
    client: Any, api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    client.submit("add")
    monkeypatch.setattr(otel, "_tracer", tracer)
    with tracer.start_as_current_span("checkout") as checkout:
        client.submit("add")
        client.submit_many([JobRequest("add")])
        with pytest.raises(InvalidJob):
            client.submit("strict")
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [
        "submit add", "submit batch", "submit strict", "checkout",
    ]  # fmt: skip
    assert [span.status.description for span in spans] == [None, None, "InvalidJob", None]
    caller = checkout.get_span_context().span_id
    assert {span.parent.span_id for span in spans[:3] if span.parent} == {caller}
    contexts: Any = [span.context for span in spans[:2]]
    traces = [f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}" for at in contexts]
    assert [api.lease()[0].traceparent for _ in range(3)] == [None, *traces]


def test_a_closed_client_says_so(make: Callable[..., Any]) -> None:
    client = make()
    client.submit("add")
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.submit("add")
