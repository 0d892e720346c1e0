"""What only grows: how jobs ended, how long attempts waited and ran."""

import random

import pytest

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import BOUNDS_S, Store
from orpheus.shared.storage.totals import MeasuredAttempt, histograms_of, rows_of
from tests.contract.conftest import LeaseSome


def test_whatever_ends_an_attempt_is_counted_as_the_attempts_table_has_it(
    store: Store, clock, submit, lease: LeaseSome, end
) -> None:
    chance = random.Random(7)
    endings = [Ending.SUCCEEDED, Ending.FAILED, Ending.FAILED_PERMANENTLY, Ending.TIMED_OUT]
    for _ in range(120):
        submit(max_retries=1)
        clock.advance(chance.choice([1, 300, 70_000]))
        for one in lease(chance.randint(1, 3)):
            clock.advance(chance.choice([1, 20, 5_000]))
            match chance.randint(0, 6):
                case 0:
                    store.leases.release([one])
                case 1:
                    store.jobs.cancel(submit())
                    end(one, Ending.SNOOZED, snooze_ms=1_000)
                case _:
                    end(one, chance.choice(endings))
    store.leases.free("life-1", None)

    rows = store._database.all("SELECT outcome, count(*) FROM attempts GROUP BY outcome")
    assert {outcome: sum(run.counts) for outcome, run in store.stats.runs().items()} == dict(rows)
    assert sum(store.stats.waits().counts) == sum(n for _, n in rows)
    counts = store.stats.counts()
    assert store.stats.ended() == {status: counts[status] for status in store.stats.ended()}
    assert store.stats.ended()[Status.CANCELLED] > 0


def test_they_do_not_fall_when_what_they_counted_goes(store, clock, submit, lease, end) -> None:
    submit()
    assert end(lease()[0])
    store.past.fold()
    assert store.stats.finished_in(1).by_status[Status.DONE] == 1
    clock.advance(60 * 24 * 3_600_000)
    rules = RetentionRules(done_s=1, failed_s=1, cancelled_s=1, events=1)
    while store.retention.step(rules):
        pass
    assert store.stats.counts()[Status.DONE] == 0
    assert store.stats.finished_in(100 * 24 * 60).by_status[Status.DONE] == 0
    assert store.stats.ended()[Status.DONE] == 1
    assert sum(store.stats.waits().counts) == 1


def test_nothing_is_counted_of_what_is_undone(store, submit, lease, end) -> None:
    submit()
    (first,) = lease()

    def end_and_fail() -> None:
        assert end(first)
        raise ZeroDivisionError

    with store.write(durable=False):
        with pytest.raises(ZeroDivisionError), store.savepoint():
            end_and_fail()
        store.jobs.submit(NewJob("other"))
    with pytest.raises(ZeroDivisionError), store.write(durable=False):
        end_and_fail()
    store.jobs.submit(NewJob("other"))
    assert store.stats.runs() == {}
    assert end(first)
    assert sum(store.stats.runs()[Outcome.SUCCEEDED].counts) == 1
    assert store.stats.ended()[Status.DONE] == 1


def test_a_bound_belongs_to_its_bucket() -> None:
    times_ms = [round(bound_s * 1000) for bound_s in BOUNDS_S]
    times_ms.append(times_ms[-1] + 1)
    by_queue = rows_of(MeasuredAttempt("q", "t", "failed", 0, ran_ms) for ran_ms in times_ms)
    rows = [row[3:7] for row in by_queue if row[2] == "ran"]
    assert histograms_of(rows)["failed"].counts == [1] * (len(BOUNDS_S) + 1)
