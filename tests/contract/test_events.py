"""The event log: in commit order, without gaps, and enough to rebuild the table."""

import contextlib
import json
import random

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, Job, JobError, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store
from tests.contract.conftest import Submit

HOLDER = Holder("default-1", "life-1", 101)


def as_event_body(job: Job) -> dict[str, object]:
    """A job as an event tells it."""
    return {
        "id": job.id,
        "type": job.type,
        "status": job.status.value,
        "queue": job.queue,
        "priority": job.priority,
        "error": job.error and {"type": job.error.type, "message": job.error.message},
        "attempt": job.attempt,
        "max_retries": job.max_retries,
        "timeout_s": job.timeout_s,
        "progress": job.progress,
        "message": job.message,
        "created_at_ms": job.created_at_ms,
        "run_at_ms": job.run_at_ms,
        "freed_at_ms": job.freed_at_ms,
        "started_at_ms": job.started_at_ms,
        "finished_at_ms": job.finished_at_ms,
        "worker": job.worker,
        "unique_key": job.unique_key,
        "concurrency_key": job.concurrency_key,
        "depends_on": list(job.depends_on),
        "tags": list(job.tags),
        "cancel_requested": job.cancel_requested,
    }


def a_busy_day(store: Store, clock, seed: int) -> None:
    """Random verbs on a few jobs."""
    chance = random.Random(seed)
    held = []
    for _ in range(300):
        clock.advance(chance.randrange(2_000))
        job_id = chance.randrange(1, 20)
        verb = chance.choice(["submit", "lease", "finish", "cancel", "retry", "die", "release"])
        if verb == "submit":
            store.jobs.submit(
                NewJob("noop", delay_ms=chance.choice([0, 0, 3_000]), tags=("t",), max_retries=1)
            )
        elif verb == "lease":
            held += store.leases.lease(HOLDER, ("*",), 3, 30_000)
        elif verb == "finish" and held:
            ending = chance.choice([Ending.SUCCEEDED, Ending.FAILED, Ending.TIMED_OUT])
            lease = held.pop(0)
            result = "1" if ending is Ending.SUCCEEDED else None
            error = None if result else JobError("E", "no", "trace")
            store.leases.finish([Finished(lease, ending, result, error)])
        elif verb == "release" and held:
            store.leases.release([held.pop()])
        elif verb == "die" and held and chance.random() < 0.3:
            store.leases.free("life-1", CellState(held[0].token, running=True), evidence="x")
            held.clear()
        elif verb in ("cancel", "retry"):
            with contextlib.suppress(NotFound, TransitionRefused):
                getattr(store.jobs, verb)(job_id)


def test_the_events_folded_from_zero_give_the_jobs_table(store: Store, clock) -> None:
    a_busy_day(store, clock, seed=7)
    folded: dict[int, object] = {}
    events = store.events.after(0, 100_000)
    for event in events:
        assert event.job_id is not None
        folded[event.job_id] = json.loads(event.body)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert folded
    for job_id, body in folded.items():
        assert body == as_event_body(store.jobs.get(job_id))


def test_an_event_of_a_transaction_that_was_undone_is_not_there(store: Store) -> None:
    try:
        with store.write(durable=True):
            store.jobs.submit(NewJob("noop"))
            raise RuntimeError
    except RuntimeError:
        pass
    store.jobs.submit(NewJob("noop"))
    assert [event.seq for event in store.events.after(0, 10)] == [1]


def test_a_savepoint_undoes_its_part_alone(store: Store) -> None:
    with store.write(durable=True):
        store.jobs.submit(NewJob("first"))
        try:
            with store.savepoint():
                store.jobs.submit(NewJob("undone", queue="elsewhere"))
                raise RuntimeError
        except RuntimeError:
            pass
        store.jobs.submit(NewJob("second"))
    assert [json.loads(e.body)["type"] for e in store.events.after(0, 10)] == ["first", "second"]
    assert store.stats.counts()[Status.PENDING] == 2
    assert "elsewhere" not in store.stats.counts_by_queue()


def test_other_events_carry_their_own_body(store: Store) -> None:
    store.events.record(Kind.WORKER_READY, {"slot": "default-1", "pid": 7})
    (event,) = store.events.after(0, 10)
    assert (event.kind, event.job_id, json.loads(event.body)) == (
        Kind.WORKER_READY,
        None,
        {"slot": "default-1", "pid": 7},
    )


def test_events_are_read_by_job_and_by_position(store: Store, submit: Submit) -> None:
    first, second = submit(), submit()
    store.jobs.cancel(first)
    assert [event.seq for event in store.events.of_job(first, 10)] == [1, 3]
    assert [event.seq for event in store.events.after(1, 1)] == [2]
    assert (store.events.oldest_seq(), store.events.last_seq()) == (1, 3)
    assert second == 2
