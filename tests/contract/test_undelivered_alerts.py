"""The verdict tells of alerts that reach nobody."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import JobError, Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.messages.alerts import Alert, Undelivered, alerts_of
from orpheus.shared.operations.trouble import trouble
from orpheus.shared.storage import Store
from tests.contract.alert_rules import MINUTE_MS, NOTIFY, RULE, look
from tests.contract.conftest import FakeClock
from tests.explained import verdict

AWAY = JobError("CallFailed", "chat.example: timed out", "a traceback")


@pytest.fixture
def fires(store: Store, fail: Callable[..., int]) -> Callable[[], None]:
    """Lets a rule fire."""
    store.types.replace([NOTIFY])
    store.alerts.configure([RULE])

    def fire() -> None:
        fail()
        look(store)

    return fire


@pytest.fixture
def ends(store: Store, lease: Callable[..., list[Lease]]) -> Callable[[Ending], None]:
    """Runs the job of an alert once."""

    def end(ending: Ending) -> None:
        (one,) = lease(queues=("alerts",))
        error = None if ending is Ending.SUCCEEDED else AWAY
        result = "null" if error is None else None
        store.leases.finish([Finished(one, ending, result=result, error=error)])

    return end


def listed(store: Store) -> Alert:
    """The only rule."""
    (one,) = alerts_of(store).items
    return one


def test_a_rule_says_what_became_of_its_last_job_and_what_reached_nobody(
    store: Store, fires: Callable[[], None], ends: Callable[[Ending], None], clock: FakeClock
) -> None:
    assert (listed(store).last_job_status, listed(store).undelivered) == (None, None)
    fires()
    first = listed(store)
    assert (first.last_job_status, first.undelivered) == ("pending", None)
    ends(Ending.FAILED)
    assert listed(store).undelivered is None, "it is tried again in a moment"
    clock.advance(2 * MINUTE_MS)
    tried = listed(store).undelivered
    assert tried is not None
    assert not tried.failed
    ends(Ending.FAILED_PERMANENTLY)
    failed = listed(store)
    assert failed.last_job_status == "failed"
    assert failed.undelivered == Undelivered(
        1, first.last_job, True, "CallFailed: chat.example: timed out"
    )
    clock.advance(60 * MINUTE_MS)
    fires()
    ends(Ending.SUCCEEDED)
    assert (listed(store).last_job_status, listed(store).undelivered) == ("done", None)
    job = listed(store).last_job
    assert job is not None
    store.jobs.delete(job)
    assert (listed(store).last_job, listed(store).last_job_status) == (job, None)


def told(store: Store) -> list[str]:
    concerns = verdict(store).concerns
    return [concern.text for concern in concerns if concern.code == "alert_undelivered"]


def test_an_alert_that_has_failed_is_told_until_one_is_delivered(
    store: Store, fires: Callable[[], None], ends: Callable[[Ending], None], clock: FakeClock
) -> None:
    fires()
    assert told(store) == []
    ends(Ending.FAILED_PERMANENTLY)
    clock.advance(6 * MINUTE_MS)
    reason = "CallFailed: chat.example: timed out."
    text = f"An alert of rule ops has not been delivered for 6 min: {reason}"
    assert told(store) == [text]
    assert text in trouble(store, 15.0), "a dead man's switch that calls cannot be all there is"
    fires()
    assert len(told(store)) == 1, "a new one that was not tried yet changes nothing"
    ends(Ending.SUCCEEDED)
    assert told(store) == []
