"""A database that has a row of every kind, made by the verbs as programs use them."""

import json
from collections.abc import Callable
from contextlib import suppress

from orpheus.shared.domain.alerts import AlertRule
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, JobError, Lease, NewJob, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.domain.steps import NewSignal, NewStep, StepKind, Suspension
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Acknowledgement, BulkAction, KeptAnswer, Store, TypeRow

ODD_TEXT = "naïve 🦉 \u2028 \x7f \\u0041 'quote' \"double\" {} ? :name $1 %s -- \t\r\n"
ODD_JSON = json.dumps({"": ODD_TEXT, "big": 2**63 - 1, "small": 1e-300, "none": None, "e": "\x01"})
LARGE = json.dumps({"text": "é" * 5_000})
HOLDER = Holder("default-1", "life-1", 101)
_TTL_MS = 30_000


def fill(store: Store, advance: Callable[[int], None]) -> None:
    """Put rows of every kind into a new database. `advance` lets its clock run, in ms."""
    _configure(store)
    _run_some(store, advance)
    _make_flows(store)
    _park_some(store)
    _quarantine_one(store)
    _await_newer_code(store)
    _do_what_operators_do(store)
    _run_functions(store)
    _end_with_a_gap(store)
    store.outboxes.remember("shop", "here", 0, [1, 2**62, "é"], refused=1)
    store.acknowledgements.put(Acknowledgement("slot", ODD_TEXT, 2**62, "ada", ODD_TEXT, 1, 3))
    store.alerts.configure([AlertRule("ops", ("job.failed",), "noop", ODD_JSON)])
    store.idempotency.keep("key-1", KeptAnswer("hash", 201, ODD_JSON, "/jobs/1"))
    store.idempotency.keep("key-2", KeptAnswer("hash", 201, "{}", None))
    advance(60_000)
    store.schedules.fire_due(lambda one: NewJob(one.type, payload=one.payload))


def _configure(store: Store) -> None:
    store.types.replace(
        [
            TypeRow("noop", '{"type":"object"}', None, None, None, ODD_TEXT),
            TypeRow("odd", "{}", 5, 30.5, "mail", "", 0.1, 2.5, 600.0, 0.1, hide="payload.a"),
        ]
    )
    store.queues.configure(
        {
            "mail": QueueRules(per_key=KeyRules(2, Rate(10, 60, 3))),
            "slow": QueueRules(max_running=7, rate=Rate(100, 60, 9)),
            "shut": QueueRules(paused=True),
        }
    )
    store.schedules.configure(
        [
            ScheduleDefinition("report", "noop", cron="* * * * *", payload=ODD_JSON),
            ScheduleDefinition("later", "noop", every_s=86_400.0),
        ]
    )


def _lease(store: Store, n: int = 1, queue: str = "*") -> list[Lease]:
    return store.leases.lease(HOLDER, (queue,), n, _TTL_MS)


def _run_some(store: Store, advance: Callable[[int], None]) -> None:
    """Leave jobs that are done, failed, retried, snoozed, cancelled, or wait for their time."""
    error = JobError("ValueError", ODD_TEXT, f"Traceback …\n{ODD_TEXT}")
    store.jobs.submit_many(
        [
            NewJob("noop", payload=ODD_JSON, tags=("a", "b-c"), traceparent="00-ab-cd-01"),
            NewJob("noop", payload=LARGE, priority=9, timeout_s=0.1),
            NewJob("noop", queue="slow", unique_key=ODD_TEXT),
            *[NewJob("noop", payload=f'{{"n":{n}}}', max_retries=0) for n in range(4)],
        ]
    )
    endings = (
        Ending.SUCCEEDED,
        Ending.FAILED,
        Ending.FAILED_PERMANENTLY,
        Ending.SNOOZED,
        Ending.RELEASED,
        Ending.TIMED_OUT,
        Ending.SUCCEEDED,
    )
    for ending, one in zip(endings, _lease(store, 7), strict=True):
        lines = [NewLine(n, "info", f"{ODD_TEXT} {n}", ODD_JSON) for n in range(3)]
        store.logs.append(one.job_id, one.token, one.attempt, lines)
        advance(40)
        failed = ending in (Ending.FAILED, Ending.FAILED_PERMANENTLY, Ending.TIMED_OUT)
        done = ending is Ending.SUCCEEDED
        result = ODD_JSON if done else None
        children = (NewJob("noop", queue="shut", payload=LARGE),) if done else ()
        store.leases.finish(
            [Finished(one, ending, result, error if failed else None, 5_000, children)]
        )
    store.jobs.submit(NewJob("noop", delay_ms=86_400_000))
    store.jobs.cancel(store.jobs.submit(NewJob("noop", queue="shut")).job.id)


def _make_flows(store: Store) -> None:
    """Leave jobs that wait for others, and one whose end has not reached all that wait for it."""
    store.jobs.submit_many(
        [
            NewJob("noop", queue="shut", ref="first"),
            NewJob("noop", queue="shut", depends_on=("first",), on_dependency_failure="run"),
        ]
    )
    most, store.dependencies.most_at_once = store.dependencies.most_at_once, 2
    fan = [NewJob("noop", queue="flow", depends_on=("0",)) for _ in range(5)]
    store.jobs.submit_many([NewJob("noop", queue="flow", ref="0"), *fan])
    (first,) = _lease(store, queue="flow")
    store.leases.finish([Finished(first, Ending.SUCCEEDED, "null")])
    store.dependencies.most_at_once = most


def _run_functions(store: Store) -> None:
    """Leave durable functions that sleep, wait for a signal and for a child, and a signal."""
    store.signals.send(NewSignal("paid", ODD_TEXT, LARGE))
    store.jobs.submit_many([NewJob("noop", queue="functions")] * 3)
    waits = (
        Suspension(NewStep("cool down", 2, StepKind.SLEEP), delay_ms=2**40),
        Suspension(NewStep("asked", 2, StepKind.SIGNAL, signal="asked", key="é"), delay_ms=2**40),
        Suspension(NewStep("mails", 2, StepKind.GATHER), children=(NewJob("noop", queue="shut"),)),
    )
    for wait, lease in zip(waits, _lease(store, 3, "functions"), strict=True):
        store.steps.keep(lease, NewStep(ODD_TEXT, 1, StepKind.STEP, LARGE, 40))
        store.leases.finish([Finished(lease, Ending.SNOOZED, wait=wait)])


def _park_some(store: Store) -> None:
    """Leave jobs that are parked, and a key whose rate is not whole."""
    mails = [NewJob("noop", queue="mail", concurrency_key=ODD_TEXT) for _ in range(9)]
    store.jobs.submit_many(mails)
    for one in _lease(store, 9, "mail"):
        store.leases.finish([Finished(one, Ending.SUCCEEDED, "[]")])


def _quarantine_one(store: Store) -> None:
    """Leave a type that is quarantined, and a job of it that is held back."""
    store.quarantines.after = 1
    store.jobs.submit(NewJob("odd", queue="odd", max_retries=0))
    killed = Holder("default-2", "life-2", 102)
    (one,) = store.leases.lease(killed, ("odd",), 1, _TTL_MS)
    cell = CellState(one.token, running=True)
    store.leases.free(killed.incarnation, cell, evidence=ODD_TEXT)
    store.quarantines.after = 0
    store.jobs.submit(NewJob("odd", queue="odd"))
    assert not store.leases.lease(HOLDER, ("odd",), 1, _TTL_MS)


def _await_newer_code(store: Store) -> None:
    """Leave a job that waits for a worker with a newer version of its type."""
    store.versions.loaded = {"noop": "older"}
    store.jobs.submit(NewJob("noop", queue="newer", versions="newer"))
    assert not _lease(store, queue="newer")
    store.versions.loaded = {}


def _do_what_operators_do(store: Store) -> None:
    store.past.fold()
    store.events.record(Kind.WORKER_EXITED, {"slot": "default-1", "reason": ODD_TEXT})
    store.queues.pause("held")
    store.queues.pause("freed")
    store.queues.resume("freed")
    store.schedules.pause("later")
    store.audit.record("pause", "held", by="cli:ada", reason=ODD_TEXT, before="b", after=ODD_TEXT)
    store.audit.record("cancel", "9", by="api:127.0.0.1", reason=None)
    for _ in range(2):
        store.jobs.submit(NewJob("noop", queue="too-many"))
    store.bulk.change(BulkAction.CANCEL, JobFilter(queue="too-many"), by="cli:ada")


def _end_with_a_gap(store: Store) -> None:
    """Let the last id, token and number belong to nothing that is left."""
    job_id = store.jobs.submit(NewJob("noop", queue="gone")).job.id
    (held,) = _lease(store, queue="gone")
    store.logs.append(job_id, held.token, held.attempt, [NewLine(1, "info", "gone")])
    store.leases.finish([Finished(held, Ending.SUCCEEDED, "null")])
    store.jobs.delete(job_id)
    with suppress(ZeroDivisionError), store.write(durable=True):
        store.jobs.submit(NewJob("noop"))
        raise ZeroDivisionError
