"""What releases a quarantined type, and what becomes of its jobs."""

import contextlib

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.shared.messages.queues import Code
from orpheus.shared.operations.operator_actions import release_type
from orpheus.shared.operations.upkeep import release_changed_types
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Actor, Store
from tests.audit_log import entries_of
from tests.contract.conftest import FakeClock, LeaseSome, Opener, Submit, ids
from tests.contract.quarantine.conftest import AFTER, Crash, a_type, parked, quarantined, waits_for

# The release


@pytest.mark.usefixtures("bad")
def test_a_release_lets_its_jobs_go_at_once_and_counts_anew(
    store: Store, submit: Submit, lease: LeaseSome, crash: Crash
) -> None:
    jobs = [submit("bad") for _ in range(5)]
    assert lease(9) == []
    with contextlib.closing(store.bells.listen_pool("default")) as bell:
        bell.drain()
        store.quarantines.release("bad")
        assert bell.drain()
    assert quarantined(store) == []
    assert ids(lease(9)) == jobs
    assert [one.kind for one in store.events.after(0, 999)].count(Kind.TYPE_RELEASED) == 1
    for _ in range(AFTER - 1):
        crash(max_retries=0)
    assert quarantined(store) == []
    crash(max_retries=0)
    assert quarantined(store) == ["bad"]


@pytest.mark.usefixtures("bad")
def test_a_release_of_many_goes_on_step_by_step_in_the_order_of_leasing(
    store: Store, another: Opener, lease: LeaseSome
) -> None:
    jobs = store.jobs.submit_many([NewJob("bad", priority=-n) for n in range(20)])
    assert lease(9) == []
    store.quarantines.most_at_once = 4
    release_type(store, Actor("cli:ada"), "bad")
    (entry,) = entries_of(store, 9)
    assert (entry.before, entry.after) == ("quarantined", "released")
    assert parked(store) == jobs[4:]
    assert waits_for(store, jobs[0]) == []
    assert waits_for(store, jobs[9]) == [Code.QUARANTINED]
    assert store.maintenance.verify() == []
    other = another()  # whoever was killed in between
    other.quarantines.most_at_once = 4
    assert other.quarantines.continue_releases()
    assert parked(store) == jobs[8:]
    while other.quarantines.continue_releases():
        pass
    assert parked(store) == []
    assert ids(lease(99)) == jobs
    assert store.quarantines.of("bad") is None


@pytest.mark.usefixtures("bad")
def test_a_type_that_is_quarantined_again_while_its_jobs_are_let_go_holds_the_rest(
    store: Store, crash: Crash, lease: LeaseSome
) -> None:
    store.jobs.submit_many([NewJob("bad")] * 9)
    assert lease(9) == []
    store.quarantines.most_at_once = 4
    store.quarantines.release("bad")
    for _ in range(AFTER):
        crash(max_retries=0)
    assert not store.quarantines.continue_releases()
    assert lease(99) == []
    assert len(parked(store)) == 9


def test_only_what_is_quarantined_is_released(store: Store, bad: list[int]) -> None:
    with pytest.raises(NotFound, match="there is no job type other"):
        store.quarantines.release("other")
    with pytest.raises(TransitionRefused, match="good is not quarantined"):
        store.quarantines.release("good")
    store.quarantines.release("bad")
    with pytest.raises(TransitionRefused, match="bad is not quarantined"):
        store.quarantines.release("bad")
    assert bad


@pytest.mark.usefixtures("bad")
def test_new_code_releases_a_type(store: Store, clock: FakeClock) -> None:
    store.types.replace([a_type("bad"), a_type("good", "two")])
    assert store.quarantines.changed() == {}
    store.quarantines.release_changed("bad")
    assert quarantined(store) == ["bad"]
    clock.advance(1_000)
    store.types.replace([a_type("bad", "two")])
    assert store.quarantines.changed() == {"bad": clock.wall_ms()}
    clock.advance(1_000)
    store.types.replace([a_type("bad", "two"), a_type("good")])
    assert store.quarantines.changed() == {"bad": clock.wall_ms() - 1_000}
    store.quarantines.release_changed("bad")
    assert (quarantined(store), store.quarantines.changed()) == ([], {})
    (event,) = [one for one in store.events.after(0, 999) if one.kind == "type.released"]
    assert event.body == '{"name":"bad","by":"new job code"}'


@pytest.mark.usefixtures("bad")
def test_it_waits_until_no_worker_runs_the_old_code(store: Store, clock: FakeClock) -> None:
    store.processes.register(a_worker("old", clock))
    clock.advance(1_000)
    store.types.replace([a_type("bad", "two")])
    store.processes.register(a_worker("new", clock))
    release_changed_types(store)
    assert quarantined(store) == ["bad"]
    store.processes.forget("old")
    release_changed_types(store)
    assert quarantined(store) == []


def a_worker(incarnation: str, clock: FakeClock) -> ProcessRecord:
    row = own_record(clock, "host-1", Role.WORKER, "default-1", incarnation, pool="default")
    return replace(row, last_beat_mono_ms=clock.monotonic_ms())
