"""What the attempts of each type cost, counted in the commit that ends them."""

import pytest

from orpheus.shared.domain.jobs import NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import OTHER_TYPES, Store, TypeFigures, TypeRow
from tests.contract.conftest import End, FakeClock, LeaseSome, Submit


@pytest.fixture(autouse=True)
def described(store: Store) -> None:
    store.types.replace([TypeRow(name, "{}", None, None, None, "") for name in ("resize", "crop")])


def figures(store: Store) -> dict[str, TypeFigures]:
    return {one.name: one for one in store.stats.types()}


def test_attempts_are_counted_by_type_with_their_times_cpu_and_peak(
    store: Store, clock: FakeClock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    for cpu_s, rss_bytes, ending in (
        (0.5, 70_000_000, Ending.FAILED_PERMANENTLY),
        (1.5, 5_000_000_000, Ending.SUCCEEDED),
        (None, None, Ending.SUCCEEDED),
    ):
        submit("resize")
        clock.advance(50)
        (one,) = lease()
        clock.advance(2000)
        assert end(one, ending, cpu_s=cpu_s, max_rss_bytes=rss_bytes)
    submit("crop")
    assert end(*lease())

    found = figures(store)
    resize = found["resize"]
    assert resize.ended == {Outcome.SUCCEEDED: 2, Outcome.FAILED: 1}
    assert resize.waits.n == 3 and resize.waits.sum_s == pytest.approx(0.15)
    assert resize.runs.n == 3 and resize.runs.sum_s == pytest.approx(6.0)
    assert resize.cpu.n == 2 and resize.cpu.sum_s == pytest.approx(2.0)
    assert resize.peak_bytes == 5_000_000_000
    assert found["crop"].ended == {Outcome.SUCCEEDED: 1}
    assert (found["crop"].cpu.n, found["crop"].peak_bytes) == (0, None)


def test_types_that_are_not_described_are_counted_as_one(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    for name in ("made-up-1", "made-up-2", "resize"):
        submit(name)
    for one in lease(3):
        assert end(one)
    found = figures(store)
    assert found.keys() == {OTHER_TYPES, "resize"}
    assert found[OTHER_TYPES].ended == {Outcome.SUCCEEDED: 2}


def test_the_jobs_that_ended_lately_are_counted_by_type_and_each_is_counted_once(
    store: Store, clock: FakeClock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    endings = (Ending.FAILED_PERMANENTLY, Ending.FAILED_PERMANENTLY, Ending.SUCCEEDED)
    for ending in endings:
        submit("resize")
        assert end(*lease(), ending)
    store.jobs.cancel(submit("crop"))
    parent = submit("made-up")
    store.jobs.submit(NewJob("crop", depends_on=(parent,)))
    store.jobs.submit(NewJob("crop", depends_on=(parent,), on_dependency_failure="fail"))
    assert end(*lease(), Ending.FAILED_PERMANENTLY)
    assert store.stats.finished_by_type(5) == {
        "resize": {Status.DONE: 1, Status.FAILED: 2},
        "crop": {Status.CANCELLED: 2, Status.FAILED: 1},
        OTHER_TYPES: {Status.FAILED: 1},
    }
    ended = {Status.DONE: 1, Status.FAILED: 4, Status.CANCELLED: 2}
    assert store.stats.finished_in(5).by_status == ended
    clock.advance(600_000)
    assert store.stats.finished_by_type(5) == {}
