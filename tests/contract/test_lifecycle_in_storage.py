"""The guards of the store's verbs are those of the transition table, status by status."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import Holder, Job, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import TRANSITIONS, Ending, Finished, Verb
from orpheus.shared.errors import TransitionRefused
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store, TypeRow

REACHABLE = [status for status in Status if status is not Status.BLOCKED]
TTL_MS = 30_000
HOLDER = Holder("default-1", "life-1", 101)


def job_in(store: Store, status: Status) -> tuple[Job, Lease | None]:
    """A job in that status, and its lease if it ever had one."""
    job_id = store.jobs.submit(NewJob("noop", max_retries=0)).job.id
    if status is Status.PENDING:
        return store.jobs.get(job_id), None
    if status is Status.CANCELLED:
        store.jobs.cancel(job_id)
        return store.jobs.get(job_id), None
    (lease,) = store.leases.lease(HOLDER, ("*",), 1, TTL_MS)
    if status is Status.DONE:
        store.leases.finish([Finished(lease, Ending.SUCCEEDED, "null")])
    if status is Status.FAILED:
        error = store.leases.free("life-1", None)
        assert error == [job_id]
    return store.jobs.get(job_id), lease


def lease_verb(store: Store, job: Job, lease: Lease | None) -> bool:
    return bool(store.leases.lease(HOLDER, ("*",), 1, TTL_MS))


def finish_verb(store: Store, job: Job, lease: Lease | None) -> bool:
    return lease is not None and not store.leases.finish(
        [Finished(lease, Ending.SUCCEEDED, "null")]
    )


def release_verb(store: Store, job: Job, lease: Lease | None) -> bool:
    before = store.events.last_seq()
    if lease is not None:
        store.leases.release([lease])
    return store.events.last_seq() > before


def reclaim_verb(store: Store, job: Job, lease: Lease | None) -> bool:
    return job.id in store.leases.free("life-1", None)


def cancel_verb(store: Store, job: Job, lease: Lease | None) -> bool:
    try:
        return store.jobs.cancel(job.id)[1]
    except TransitionRefused:
        return False


def request_cancel_verb(store: Store, job: Job, lease: Lease | None) -> bool:
    try:
        return not store.jobs.cancel(job.id)[1]
    except TransitionRefused:
        return False


def retry_verb(store: Store, job: Job, lease: Lease | None) -> bool:
    try:
        store.jobs.retry(job.id)
    except TransitionRefused:
        return False
    return True


VERBS: dict[Verb, Callable[[Store, Job, Lease | None], bool]] = {
    Verb.LEASE: lease_verb,
    Verb.FINISH: finish_verb,
    Verb.RELEASE: release_verb,
    Verb.RECLAIM: reclaim_verb,
    Verb.CANCEL: cancel_verb,
    Verb.REQUEST_CANCEL: request_cancel_verb,
    Verb.RETRY: retry_verb,
}

# One call of the store does either, as the status asks for.
CANCELS = (Verb.CANCEL, Verb.REQUEST_CANCEL)


def test_every_verb_of_the_table_is_tried() -> None:
    assert set(VERBS) == set(TRANSITIONS) == set(Verb)


@pytest.mark.parametrize("status", REACHABLE)
@pytest.mark.parametrize("verb", Verb)
def test_a_verb_works_from_exactly_the_statuses_of_the_table(
    store: Store, verb: Verb, status: Status
) -> None:
    job, lease = job_in(store, status)
    assert job.status is status
    before = store.events.last_seq()
    worked = VERBS[verb](store, job, lease)
    transition = TRANSITIONS[verb]
    assert worked == (status in transition.leaves)
    after = store.jobs.get(job.id)
    new_kinds = {event.kind for event in store.events.after(before, 10)}
    if worked:
        assert after.status in transition.enters
        assert len(new_kinds) == 1 and new_kinds <= transition.events
    elif not (verb in CANCELS and any(status in TRANSITIONS[one].leaves for one in CANCELS)):
        assert after == job
        assert not new_kinds


@pytest.mark.parametrize("how", ["finish", "free", "expire"])
@pytest.mark.parametrize(("type", "base_ms", "factor"), [("slow", 10_000, 3), ("usual", 1_000, 2)])
def test_the_backoff_of_a_type_holds_whoever_ends_the_attempt(
    store: Store, another, submit, lease, end, clock, type, base_ms, factor, how: str
) -> None:
    of_type = TypeRow("slow", "{}", None, None, None, "", backoff_base_s=10, backoff_factor=3)
    store.types.replace([of_type, TypeRow("usual", "{}", None, None, None, "")])
    job_id = submit(type, max_retries=9)
    supervisor = another()
    waits = []
    for _ in range(3):
        (held,) = lease()
        if how == "finish":
            assert end(held, Ending.FAILED)
        elif how == "free":
            supervisor.leases.free("life-1", CellState(held.token, running=True))
        else:
            clock.advance(31_000)
            supervisor.leases.reclaim_expired()
        waits.append(store.jobs.get(job_id).run_at_ms - clock.wall)
        clock.advance(1_000_000)
    expected = [base_ms, base_ms * factor, base_ms * factor**2]
    from_second = how != "finish"  # after its first crash, a job runs again at once
    assert waits[from_second:] == expected[from_second:]
