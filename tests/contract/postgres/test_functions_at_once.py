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
