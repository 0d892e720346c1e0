"""The main loop with a real store and an executor that the test scripts."""

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.process.crash_cell import Cell
from orpheus.shared.storage import Store, open_store
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.control.database_watch import DatabaseWatch
from orpheus.worker.leasing.estimates import Estimates
from orpheus.worker.leasing.held_leases import HeldLeases
from orpheus.worker.leasing.loop import Loop
from tests.sqlite_handle import handle_of


class Script:
    """An executor: runs `steps[job id]`, and ends the loop after the last job expected."""

    has_raised = lacks_files = False

    def __init__(self, control: Any) -> None:
        self.control = control
        self.ran: list[int] = []
        self.steps: dict[int, Callable[[], object]] = {}
        self.until: int = 0

    def run(self, running: RunningAttempt) -> Finished:
        job_id = running.lease.job_id
        self.ran.append(job_id)
        self.steps.get(job_id, lambda: None)()
        if job_id == self.until:
            self.control.may_lease = False
        return Finished(running.lease, Ending.SUCCEEDED, "null")


@pytest.fixture
def store(database: Any) -> Iterator[Store]:
    """The worker's own connection."""
    made = open_store(database.url)
    yield made
    made.close()


@pytest.fixture
def script() -> Script:
    control = SimpleNamespace(
        may_lease=True,
        loop_turns=0,
        jobs_done=0,
        stop_deadline_s=float("inf"),
        database=DatabaseWatch(slow_after_s=60),
    )
    return Script(control)


@pytest.fixture
def loop(store: Store, script: Script, make_settings: Callable[..., Any], tmp_path: Any) -> Any:
    """A loop that prefetches a second's work, without helper threads."""
    return Loop(
        make_settings(lease_ttl_s=30.0, ahead_s=1.0, beat_interval_s=0.01),
        Holder("default-1", "life-1", 1),
        store,
        HeldLeases(Cell.create(tmp_path / "cell")),
        script.control,
        SimpleNamespace(is_asleep=False, wake=lambda: None, look=lambda _: None),  # type: ignore[arg-type]
        script,  # type: ignore[arg-type]
        None,
    )


def submit(database: Any, *types: str) -> list[int]:
    ids: list[int] = database.store.jobs.submit_many([NewJob(one) for one in types])
    return ids


def test_a_prefetched_job_that_was_cancelled_a_millisecond_ago_never_runs(
    database: Any, loop: Loop, script: Script, wait_for: Callable[..., Any]
) -> None:
    known = submit(database, *["short"] * 100)
    first, cancelled, last = submit(database, "short", "short", "short")

    def cancel() -> None:
        assert database.store.jobs.get(cancelled).status is Status.IN_PROGRESS, "prefetched"
        assert database.store.jobs.cancel(cancelled)[1] is False
        seen_at_s = time.monotonic() + 0.001
        wait_for(lambda: time.monotonic() >= seen_at_s, "a millisecond to pass")

    script.steps[first] = cancel
    script.until = last
    loop.run()
    assert script.ran == [*known, first, last]
    assert database.store.jobs.get(cancelled).status is Status.CANCELLED
    assert database.outcomes(cancelled) == []


def test_each_job_of_a_group_starts_when_the_one_before_it_has_ended(
    database: Any, loop: Loop, script: Script, wait_for: Callable[..., Any]
) -> None:
    known = submit(database, *["short"] * 100)
    ids = submit(database, "short", "short", "short")

    def run() -> None:
        ends_at_s = time.monotonic() + 0.02
        wait_for(lambda: time.monotonic() >= ends_at_s, "20 ms to pass")

    script.steps.update(dict.fromkeys(ids, run))
    script.until = ids[-1]
    loop.run()
    starts = database.store.events.of_job(ids[-1], 10)[1].at_ms
    attempts = [database.store.jobs.attempts(job_id)[0] for job_id in [*known, *ids]]
    for before, after in pairwise(attempts[-4:]):
        assert before.finished_at_ms <= after.started_at_ms
        assert after.finished_at_ms - after.started_at_ms >= 20
    assert starts < attempts[-2].started_at_ms, "they were leased together"


def test_what_has_crashed_starts_once_the_results_before_it_are_stored(
    database: Any, loop: Loop, script: Script
) -> None:
    """They would be lost if it crashed again."""
    submit(database, *["short"] * 100)  # so many that the two after them are prefetched together
    before, crashed = submit(database, "short", "short")
    with handle_of(database.store) as connection:
        connection.execute("UPDATE jobs SET crashes = 1 WHERE id = ?", (crashed,))
    seen: list[Status] = []
    script.steps[crashed] = lambda: seen.append(database.store.jobs.get(before).status)
    script.until = crashed
    loop.run()
    assert seen == [Status.DONE]


def test_a_prefetched_job_whose_lease_has_expired_is_not_started(
    database: Any, loop: Loop, script: Script, wait_for: Callable[..., Any]
) -> None:
    loop._settings = replace(loop._settings, lease_ttl_s=0.5)
    known = submit(database, *["short"] * 20)
    first, behind, last = submit(database, "short", "short", "short")
    other = Holder("default-2", "life-2", 2)

    def lose_the_leases() -> None:
        assert database.store.jobs.get(behind).status is Status.IN_PROGRESS, "prefetched"
        lost = wait_for(database.store.leases.reclaim_expired, "the leases to expire")
        assert lost[-3:] == [first, behind, last]
        taken = database.store.leases.lease(other, ("*",), len(lost) - 1, 30_000)
        assert [lease.job_id for lease in taken] == lost[:-1]

    script.steps[first] = lose_the_leases
    script.until = last
    loop.run()
    assert script.ran == [*known, first, last]
    assert database.store.jobs.get(behind).worker == "default-2"


def test_the_results_of_a_batch_and_the_next_leases_share_a_commit(
    database: Any, loop: Loop, script: Script
) -> None:
    *ids, last = submit(database, *["short"] * 500)
    script.until = last
    assert loop.run() is True
    assert script.ran == [*ids, last]
    batches = script.control.loop_turns - script.control.jobs_done  # a job counts as a turn too
    assert batches < 100
    assert database.store.stats.counts()[Status.DONE] == 500


def test_fewer_jobs_are_leased_while_somebody_else_waits_to_write(
    database: Any, store: Store, loop: Loop, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    *ids, last = submit(database, *["short"] * 600)
    leased: list[int] = []

    def count() -> None:
        leased.append(database.store.stats.counts()[Status.IN_PROGRESS])

    def let_wait() -> None:
        monkeypatch.setattr(store, "others_wait", lambda: True)

    script.steps = {ids[0]: let_wait, **dict.fromkeys(ids[1:], count)}
    script.until = last
    loop.run()
    assert max(leased) == 64


class SlowTime:
    """The `time` of the loop: it stands still but for what the jobs take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr("orpheus.worker.leasing.loop.time", self)

    def monotonic(self) -> float:
        return self.now_s

    def step(self, duration_s: float) -> Callable[[], None]:
        """What a job does that takes so long."""

        def pass_time() -> None:
            self.now_s += duration_s

        return pass_time


@pytest.mark.parametrize("types", [["short"], ["short", "medium"]], ids=["one type", "two types"])
def test_a_steady_drain_releases_no_lease_however_the_durations_vary(
    database: Any,
    loop: Loop,
    store: Store,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
    types: list[str],
) -> None:
    """One run of a hundred has to wait for a processor for up to 15 ms."""
    loop._settings = replace(loop._settings, ahead_s=0.02)
    loop._estimates = Estimates(0.02)
    clock, chance = SlowTime(monkeypatch), random.Random(11)
    released: list[Lease] = []
    usual_s = {"short": 0.000_05, "medium": 0.002}
    monkeypatch.setattr(store.leases, "release", released.extend)
    of = chance.choices(types, k=3000)
    ids = submit(database, *of)
    for job_id, job_type in zip(ids, of, strict=True):
        waits_s = chance.uniform(0, 0.015) if chance.random() < 0.01 else 0.0
        script.steps[job_id] = clock.step(usual_s[job_type] * chance.uniform(0.5, 2) + waits_s)
    script.until = ids[-1]
    assert loop.run() is True
    assert script.ran == ids
    assert released == []


def test_nothing_is_prefetched_with_a_job_of_a_new_type(
    database: Any, loop: Loop, script: Script
) -> None:
    submit(database, *["short"] * 100)
    new, behind = submit(database, "new", "short")
    script.steps[new] = lambda: statuses.append(database.store.jobs.get(behind).status)
    statuses: list[Status] = []
    script.until = behind
    loop.run()
    assert statuses == [Status.PENDING]
    assert database.store.jobs.get(behind).status is Status.DONE


def test_an_order_that_comes_as_the_loop_ends_writes_into_no_reused_descriptor(
    loop: Loop, script: Script
) -> None:
    script.control.may_lease = False
    assert loop.run() is True
    numbers = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(8)]  # those that have come free
    try:
        script.control.on_order()
        for number in numbers:
            with pytest.raises(BlockingIOError):
                os.eventfd_read(number)
    finally:
        for number in numbers:
            os.close(number)


def test_a_worker_told_to_stop_releases_the_jobs_that_it_has_not_started(
    database: Any, loop: Loop, script: Script
) -> None:
    submit(database, *["short"] * 100)
    last, left = submit(database, "short", "short")
    script.until = last
    assert loop.run() is True
    assert database.store.jobs.get(last).status is Status.DONE
    assert database.store.jobs.get(left).status is Status.PENDING
    assert database.outcomes(left) == []


def test_no_more_jobs_are_leased_than_max_jobs_allows(
    database: Any, loop: Loop, script: Script
) -> None:
    loop._settings = replace(loop._settings, max_jobs=30)
    ids = submit(database, *["short"] * 40)
    leased: list[int] = []
    for job_id in ids:
        script.steps[job_id] = lambda: leased.append(
            database.store.stats.counts()[Status.IN_PROGRESS]
        )
    assert loop.replacement_reason() is None
    assert loop.run() is True
    assert script.ran == ids[:30]
    assert max(leased) > 1, "jobs were prefetched"
    assert all(database.store.jobs.attempts(job_id) == [] for job_id in ids[30:])
    assert database.store.stats.counts()[Status.PENDING] == 10
    assert database.store.events.last_seq() == 40 + 2 * 30, "no lease was released"
    assert loop.replacement_reason() == "it has done 30 jobs (max_jobs)"


@pytest.mark.parametrize("job_type", ["new", "short"])
@pytest.mark.parametrize("failing", ["release", "next_due_ms"])
def test_no_job_is_leased_that_the_worker_does_not_hold_when_the_database_fails(
    database: Any,
    loop: Loop,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    job_type: str,
    failing: str,
) -> None:
    """An idle worker leases several jobs, of types that it does or does not know."""

    def fail(*_: Any) -> None:
        raise DatabaseBusy("the database is locked")

    for _ in range(100):
        loop._estimates.note("short", 0.001)
    database.store.jobs.submit_many([NewJob(job_type, max_retries=0)] * 20)
    with monkeypatch.context() as patch, contextlib.suppress(DatabaseBusy):
        patch.setattr(store.leases, failing, fail)
        loop._report_and_lease(leasing=True)
    leased = database.store.stats.counts().get(Status.IN_PROGRESS, 0)
    assert leased == len(loop._held.tokens())
    loop._report_and_lease(leasing=False)
    assert database.store.stats.counts()[Status.PENDING] == 20


def test_results_are_held_if_an_error_of_ours_prevents_their_report(
    database: Any, loop: Loop, store: Store, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash cell is only deleted if none are: it tells that these jobs have run."""

    def fail(*_: Any) -> None:
        raise KeyError("an error of ours")

    [job_id] = submit(database, "short")
    script.steps[job_id] = lambda: monkeypatch.setattr(store.leases, "finish", fail)
    with pytest.raises(KeyError):
        loop.run()
    assert [finished.lease.job_id for finished, _ in loop._held.take_reports()] == [job_id]


def test_an_idle_worker_writes_nothing(database: Any, loop: Loop, store: Store) -> None:
    version = database.store._database.changes()
    with database.store.write(durable=False):  # no lock is waited for
        loop._report_and_lease(leasing=True)
    loop._report_and_lease(leasing=True)
    assert database.store._database.changes() == version


def test_a_worker_leases_again_soon_after_others_had_locked_all_that_is_due(
    database: Any, loop: Loop, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(database, "short")
    loop._poll_every_s = 1e6
    with monkeypatch.context() as patch:
        patch.setattr(store.leases, "lease", lambda *_: [])
        patch.setattr(type(store.leases), "was_contended", True)
        loop._report_and_lease(leasing=True)
    assert loop._until_poll_s() < 1
    assert loop._until_poll_s() > 1, "once: others have most likely leased it"
