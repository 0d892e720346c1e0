"""Types whose jobs only fail: told for an hour, unless nothing of theirs is failed any more."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, TypeRow
from tests.contract.conftest import FakeClock, LeaseSome, Submit
from tests.explained import verdict

MINUTE_MS = 60_000
Finish = Callable[..., int]


@pytest.fixture(autouse=True)
def begin_of_a_minute(clock: FakeClock, store: Store) -> None:
    """The figures are kept by the minute."""
    clock.advance(-clock.wall % MINUTE_MS)
    store.types.replace([TypeRow(name, "{}", None, None, None, "") for name in ("charge", "after")])


@pytest.fixture
def finish(store: Store, submit: Submit, lease: LeaseSome) -> Finish:
    def finish_one(ending: Ending = Ending.FAILED_PERMANENTLY, job_type: str = "charge") -> int:
        job = submit(job_type)
        (one,) = lease()
        store.leases.finish([Finished(one, ending, "null", error=JobError("OSError", "no"))])
        return job

    return finish_one


def texts(store: Store) -> list[str]:
    concerns = verdict(store).concerns
    return [concern.text for concern in concerns if concern.code == "type_failing"]


def test_a_type_that_only_fails_is_told_for_an_hour(
    store: Store, finish: Finish, clock: FakeClock
) -> None:
    for _ in range(3):
        finish()
    told = ["Jobs of charge failed all 3 times that they ended in the last hour."]
    assert texts(store) == told
    clock.advance(59 * MINUTE_MS)
    assert texts(store) == told
    clock.advance(2 * MINUTE_MS)
    assert texts(store) == []
