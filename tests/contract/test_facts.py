"""What explanations read of each database: of a queue and its next job, and of a single job."""

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.explain.facts import read_job
from orpheus.shared.storage import Store
from tests.contract.conftest import End, FakeClock, LeaseSome, Submit
from tests.explained import facts_of, queue_of, worker


def test_a_queue_has_its_due_jobs_and_who_serves_it(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    for _ in range(3):
        submit(queue="mail")
    submit(queue="mail", delay_ms=2_000)
    lease(1)
    clock.advance(5_000)  # no lease has made the delayed one due
    busy = worker(jobs_in_progress=1)
    mail = queue_of(store, "mail", busy, worker("default-2", pool="default", silent=True))
    assert (mail.counts["pending"], mail.counts["in_progress"]) == (3, 1)
    assert (mail.due, mail.oldest_due_s) == (3, 5.0)
    ((pool),) = mail.pools
    assert (pool.name, pool.workers, pool.ready) == ("default", 2, 1)
    assert mail.reason is not None
    assert mail.reason.code == "workers_busy"
    assert queue_of(store, "mail").reason is None


def test_when_a_queue_is_empty_follows_from_what_ended_and_how_long_it_ran(
    store: Store, submit: Submit, lease: LeaseSome, end: End, clock: FakeClock
) -> None:
    clock.advance(-clock.wall % 60_000)
    for _ in range(16):
        submit(queue="mail")
    clock.advance(120_000)
    for held in lease(4):
        clock.advance(5_000)
        end(held)
    mail = queue_of(store, "mail")
    out = 4 / (80 / 60)  # of this minute, which began 20 s ago, and the last
    assert mail.in_per_minute == 0
    assert mail.out_per_minute == pytest.approx(out)
    assert mail.empty_in_s == pytest.approx(12 / out * 60)
    run_s = (5 + 10 + 15 + 20) / 4
    assert mail.empty_in_s_with == pytest.approx({"1": 12 * run_s / 2, "3": 12 * run_s / 4})
    store.queues.configure({"mail": QueueRules(max_running=1)})
    assert queue_of(store, "mail").empty_in_s_with["3"] == pytest.approx(12 * run_s)
    store.queues.configure({"mail": QueueRules(rate=Rate(1, 60))})
    assert queue_of(store, "mail").empty_in_s_with["3"] == pytest.approx(12 * 60)
    submit(queue="mail"), submit(queue="mail"), submit(queue="mail"), submit(queue="mail")
    assert queue_of(store, "mail").empty_in_s is None, "as many came as ended"


def test_the_next_job_of_a_queue_is_the_first_that_may_be_leased(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    rules = KeyRules(max_running=1, rate=Rate(1, 60))
    store.queues.configure({"mail": QueueRules(per_key=rules)})
    (running, *_) = (submit("bill", queue="mail", concurrency_key="acme") for _ in range(3))
    lease(1)
    lease(1)  # parks the others
    first = facts_of(store, only={"mail"}).queues["mail"].due.first
    assert first is not None
    assert (first.type, first.key, list(first.holders)) == ("bill", "acme", [running])
    assert first.key_room.is_full
    assert first.key_room.opens_ms == clock.wall_ms() + 60_000
    mail = queue_of(store, "mail")
    assert mail.reason is not None
    assert (mail.reason.code, mail.reason.by, mail.due) == ("key_limit", f"job {running}", 2)
    submit("note", queue="mail", priority=-1)
    first = facts_of(store, only={"mail"}).queues["mail"].due.first
    assert first is not None
    assert first.type == "note"


def test_the_limits_of_a_queue_name_what_runs_and_say_when_they_open(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    store.queues.configure({"mail": QueueRules(max_running=2, rate=Rate(1, 60, burst=2))})
    running, waiting = [submit(queue="mail") for _ in range(2)], submit(queue="mail")
    lease(5)
    found = read_job(store, waiting)
    assert list(found.next.holders) == running
    room = facts_of(store).queues["mail"].room
    assert (room.is_full, room.is_spent) == (True, True)
    assert room.opens_ms == pytest.approx(clock.wall_ms() + 60_000, abs=2)


def test_a_blocked_job_names_the_jobs_that_it_still_waits_for(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    needed = [submit("resize") for _ in range(7)]
    waiting = store.jobs.submit(NewJob("noop", depends_on=tuple(needed))).job.id
    end(lease()[0])
    found = read_job(store, waiting)
    assert (found.waits_for, found.is_due) == (6, False)
    assert [(one.id, one.type) for one in found.dependencies] == [
        (one, "resize") for one in needed[1:6]
    ]
    assert found.dependencies[0].status is Status.PENDING


def test_a_job_knows_its_last_outcome_and_what_its_worker_leased_before_it(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job = submit()
    assert read_job(store, job).last_outcome is None
    end(lease()[0], Ending.FAILED)
    found = read_job(store, job)
    assert (found.last_outcome, found.crashes, found.is_due) == (Outcome.FAILED, 0, False)
    jobs = [submit() for _ in range(3)]
    store.leases.lease(Holder("default-2", "life-2", 102), ("*",), 3, 30_000)
    found = read_job(store, jobs[2])
    assert (found.leased_by, found.leased_before) == ("life-2", jobs[:2])
