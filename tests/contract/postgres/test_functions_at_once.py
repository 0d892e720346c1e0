"""Signals and waits of two sessions at the same moment: none is missed."""

import psycopg
import pytest

from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.steps import NewSignal, NewStep, StepKind, StepState, Suspension
from orpheus.shared.storage import Store
from tests.contract.conftest import TTL_MS, Opener
from tests.contract.postgres.conftest import begin_and_wait

pytestmark = pytest.mark.backends("postgresql")
APPROVED = NewSignal("approved", "42", "1")
WAIT = Suspension(NewStep("approval", 1, StepKind.SIGNAL, signal="approved", key="42"))


@pytest.fixture
def pair(another: Opener) -> tuple[Store, Store]:
    """The stores of a worker and of a sender."""
    return another(), another()


def leased(store: Store) -> Lease:
    store.jobs.submit(NewJob("noop"))
    (held,) = store.leases.lease(Holder("default-1", "life-1", 1), ("*",), 1, TTL_MS)
    return held


def was_received(store: Store, held: Lease) -> bool:
    (step,) = store.steps.of(held.job_id)
    is_free = store.jobs.get(held.job_id).status is Status.PENDING
    return is_free and step.state is StepState.KEPT and store.maintenance.verify() == []


def test_a_function_begins_to_wait_while_its_signal_is_sent(
    pair: tuple[Store, Store], admin: psycopg.Connection
) -> None:
    worker, sender = pair
    held = leased(worker)
    suspended = Finished(held, Ending.SNOOZED, wait=WAIT)
    with sender.write(durable=True):
        sender.signals.send(APPROVED)
        waits = begin_and_wait(admin, lambda: worker.leases.finish([suspended]))
    waits.join()
    assert was_received(worker, held)


def test_a_signal_is_sent_while_a_function_begins_to_wait(
    pair: tuple[Store, Store], admin: psycopg.Connection
) -> None:
    worker, sender = pair
    held = leased(worker)
    with worker.write(durable=True):
        worker.leases.finish([Finished(held, Ending.SNOOZED, wait=WAIT)])
        sends = begin_and_wait(admin, lambda: sender.signals.send(APPROVED))
    sends.join()
    assert was_received(worker, held)


def test_a_child_ends_while_its_parent_is_cancelled(
    pair: tuple[Store, Store], admin: psycopg.Connection
) -> None:
    worker, operator = pair
    parent = leased(worker)
    children = (NewJob("noop"), NewJob("noop"))
    wait = Suspension(NewStep("mails", 1, StepKind.GATHER), children=children)
    worker.leases.finish([Finished(parent, Ending.SNOOZED, wait=wait)])
    first, second = worker.leases.lease(Holder("default-1", "life-1", 1), ("*",), 2, TTL_MS)
    with worker.write(durable=True):
        worker._database.lock_job(first.job_id, deletes=False)
        cancels = begin_and_wait(admin, lambda: operator.jobs.cancel(parent.job_id))
        worker.leases.finish([Finished(first, Ending.SUCCEEDED, "1")])
    cancels.join()
    while operator.dependencies.continue_cascades():
        pass
    assert operator.jobs.get(parent.job_id).status is Status.CANCELLED
    assert operator.leases.cancel_requests({second.job_id: second.token}) == {second.job_id}
    assert operator.maintenance.verify() == []
