"""What has outlived its rules goes, in short steps; what somebody still needs stays."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob, NewLine, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import KeptAnswer, Store, open_store
from tests.audit_log import entries_of
from tests.contract.conftest import End, LeaseSome, Submit
from tests.machine import slowness

RULES = RetentionRules(done_s=100, failed_s=300, cancelled_s=200, events=1_000)
ALL_NOW = replace(RULES, done_s=0, failed_s=0, cancelled_s=0)
A_MINUTE_MS = 60_000


def sweep(store: Store, rules: RetentionRules = RULES) -> int:
    """Step until nothing is left; how many steps that took."""
    store.maintenance.checkpoint()  # which numbers the events of PostgreSQL
    steps = 0
    while store.retention.step(rules):
        steps += 1
        assert steps < 10_000
    return steps


def is_there(store: Store, job_id: int) -> bool:
    try:
        store.jobs.get(job_id)
    except NotFound:
        return False
    return True


def test_ended_jobs_are_kept_as_long_as_their_status_says(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    waiting_long = submit(delay_ms=10**9)
    done, failed, cancelled = submit(), submit(), submit()
    first, second = lease(2)
    end(first)
    end(second, Ending.FAILED_PERMANENTLY)
    store.jobs.cancel(cancelled)
    for seconds, left in (
        (100, {done, failed, cancelled}),
        (1, {failed, cancelled}),
        (100, {failed}),
        (100, set()),
    ):
        clock.advance(seconds * 1_000)
        sweep(store)
        assert {one for one in (done, failed, cancelled) if is_there(store, one)} == left
    assert store.jobs.get(waiting_long).status is Status.PENDING
    assert {status: n for status, n in store.stats.counts().items() if n} == {Status.PENDING: 1}
    assert store.maintenance.verify() == []


def test_a_job_goes_with_all_that_is_its_own(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit(tags=("night",))
    [held] = lease()
    store.logs.append(job_id, held.token, 1, [NewLine(1, "info", "a line")])
    end(held)
    clock.advance(101_000)
    sweep(store)
    assert store.jobs.attempts(job_id) == []
    assert store.logs.after(job_id, 0, 10) == []
    assert store.maintenance.check() == []


def test_a_job_is_kept_for_one_that_is_not_linked_to_it_yet(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    """A SQLite file that was moved from PostgreSQL may have such jobs, too."""
    first = submit()
    end(*lease(1))
    store._database.commits_late = True  # as in the transaction of an application
    then = submit(depends_on=(first,))
    store._database.commits_late = False
    clock.advance(101_000)
    sweep(store)
    assert is_there(store, first)
    assert store.maintenance.verify() == []
    while store.dependencies.continue_cascades():
        pass
    assert store.jobs.get(then).status is Status.PENDING


def test_a_job_that_was_retried_begins_a_new_age(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job_id = submit()
    end(lease()[0], Ending.FAILED_PERMANENTLY)
    clock.advance(301_000)
    store.jobs.retry(job_id)
    sweep(store)
    end(lease()[0], Ending.FAILED_PERMANENTLY)
    sweep(store)
    assert is_there(store, job_id)


def test_the_newest_events_are_kept_and_the_last_seq_goes_on(store: Store, submit: Submit) -> None:
    job_ids = store.jobs.submit_many([NewJob("noop")] * 2_345)
    sweep(store)
    assert (store.events.oldest_seq(), store.events.last_seq()) == (1_346, 2_345)
    assert len(store.events.after(0, 10_000)) == 1_000
    assert store.events.of_job(job_ids[0], 10) == []
    submit()
    assert store.events.last_seq() == 2_346
    assert store.maintenance.verify() == []


def test_answers_of_idempotency_keys_go_after_a_day(store: Store, clock) -> None:
    answer = KeptAnswer("hash", 201, "{}", None)
    with store.write(durable=False):
        for n in range(250):
            store.idempotency.keep(f"old-{n}", answer)
    clock.advance(23 * 3_600_000)
    store.idempotency.keep("young", answer)
    assert sweep(store) == 0
    clock.advance(3_600_000)
    assert sweep(store) > 0
    assert store.idempotency.find("young") == answer
    assert sweep(store) == 0


def test_the_trail_of_operators_is_kept_and_minutes_go_after_two_days(
    store: Store, clock, submit: Submit
) -> None:
    store.audit.record("cancel", "job 1", by="curl")
    store.jobs.cancel(submit())
    store.past.fold()
    clock.advance(3 * 86_400_000)
    store.jobs.cancel(submit())
    sweep(store)
    assert [row.target for row in entries_of(store, 10)] == ["job 1"]
    minutes = store.stats.by_minute(60 * 24 * 60)
    assert sum(minute.cancelled for minute in minutes) == 1


def test_with_nothing_to_delete_nothing_is_written(store: Store, another, submit: Submit) -> None:
    submit()
    store.events.last_seq()  # PostgreSQL numbers the event now
    watcher = another()
    watcher.data_changed()
    assert sweep(store) == 0
    assert not watcher.data_changed()


class TickingClock:
    """Three milliseconds pass whenever somebody looks."""

    boot_id = "boot-1"

    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def wall_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        self.now += 3
        return self.now


@pytest.fixture
def hasty(url: str, tmp_path: Path) -> Iterator[Store]:
    """A store for which every step is short of time."""
    state_dir = str(tmp_path / "state")
    store = open_store(url, create=True, clock=TickingClock(), state_dir=state_dir)
    yield store
    store.close()


@pytest.mark.backends("sqlite")  # where it keeps others out
def test_a_step_stops_when_its_time_is_over_and_the_next_goes_on(hasty: Store, holder) -> None:
    cancelled_jobs(hasty, 600)
    hasty.clock.now += 1  # type: ignore[attr-defined]
    assert hasty.retention.step(ALL_NOW)
    left = hasty.stats.counts()[Status.CANCELLED]
    assert 300 < left < 600
    sweep(hasty, ALL_NOW)
    assert hasty.stats.counts()[Status.CANCELLED] == 0


@pytest.mark.backends("sqlite")  # where it keeps others out
def test_a_long_log_goes_over_several_steps_and_its_job_with_the_last(hasty: Store, holder) -> None:
    job_id = hasty.jobs.submit(NewJob("noop")).job.id
    [held] = hasty.leases.lease(holder, ("*",), 1, 10**9)
    lines = [NewLine(n, "info", f"line {n}") for n in range(1_500)]
    assert hasty.logs.append(job_id, held.token, 1, lines)
    hasty.leases.finish([Finished(held, Ending.SUCCEEDED, "null")])
    hasty.clock.now += 1  # type: ignore[attr-defined]
    assert hasty.retention.step(ALL_NOW)
    assert 0 < len(hasty.logs.after(job_id, 0, 10_000)) < 1_500
    assert is_there(hasty, job_id)
    sweep(hasty, ALL_NOW)
    assert hasty.logs.after(job_id, 0, 10) == []
    assert not is_there(hasty, job_id)


@pytest.fixture
def real(url: str) -> Iterator[Store]:
    """A store on the kernel's clocks."""
    store = open_store(url, create=True, durable=False)
    yield store
    store.close()


def cancelled_jobs(store: Store, n: int, payload: str = "{}") -> None:
    with store.write(durable=False):
        for one in store.jobs.submit_many([NewJob("noop", payload)] * n):
            store.jobs.cancel(one)


@pytest.mark.backends("sqlite")
def test_a_step_holds_the_writer_for_20_ms_at_most(real: Store) -> None:
    cancelled_jobs(real, 3_000)
    took_ms = []
    while True:
        began_s = time.perf_counter()
        if not real.retention.step(ALL_NOW):
            break
        took_ms.append((time.perf_counter() - began_s) * 1_000)
    assert len(took_ms) > 2
    # The median, as a busy machine may take the processor away in the midst of one.
    assert statistics.median(took_ms) < 20 * slowness(), took_ms


@pytest.mark.backends("sqlite")
def test_the_file_gives_back_what_is_free_but_for_a_part(real: Store) -> None:
    cancelled_jobs(real, 60, json.dumps("x" * 500_000))
    real.maintenance.checkpoint()
    sweep(real, ALL_NOW)
    submitted = real.jobs.submit(NewJob("noop", json.dumps("y" * 100_000))).job
    (pages,) = real._database.all("PRAGMA page_count")
    assert pages[0] * 4_096 < 6_000_000
    assert real.jobs.get(submitted.id) == submitted
    assert real.maintenance.check() == []
