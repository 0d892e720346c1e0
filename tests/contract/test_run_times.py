"""Jobs that are leased as a group: each has its own start and end, as its worker tells."""

import itertools
import json

import pytest

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending, Finished, RunTimes

both_ways = pytest.mark.parametrize("ending", [Ending.SUCCEEDED, Ending.FAILED_PERMANENTLY])


def finish(store, leases, ending, runs) -> None:
    error = None if ending is Ending.SUCCEEDED else JobError("ValueError", "it broke")
    ends = [
        Finished(one, ending, None if error else "1", error, run=run)
        for one, run in zip(leases, runs, strict=True)
    ]
    assert store.leases.finish(ends) == set()


@both_ways
def test_each_job_of_a_group_has_its_own_times(store, clock, submit, lease, ending) -> None:
    ids = [submit() for _ in range(3)]
    due_ms = clock.wall
    clock.advance(5)
    leases = lease(3)
    clock.advance(60)
    runs = [RunTimes(58, 50), RunTimes(50, 10), RunTimes(10, 9)]
    finish(store, leases, ending, runs)

    told = [(clock.wall - run.started_ago_ms, clock.wall - run.ended_ago_ms) for run in runs]
    jobs = [store.jobs.get(job_id) for job_id in ids]
    attempts = [store.jobs.attempts(job_id)[0] for job_id in ids]
    assert [(one.started_at_ms, one.finished_at_ms) for one in jobs] == told
    assert [(one.started_at_ms, one.finished_at_ms) for one in attempts] == told
    events = [(one.kind, json.loads(one.body)) for one in store.events.after(0, 100)]
    bodies = [body for kind, body in events if kind in (Kind.JOB_DONE, Kind.JOB_FAILED)]
    assert [(one["started_at_ms"], one["finished_at_ms"]) for one in bodies] == told
    starts = [body["started_at_ms"] for kind, body in events if kind is Kind.JOB_STARTED]
    assert starts == [due_ms + 5] * 3, "when they were leased"
    (ran,) = store.stats.runs().values()
    assert ran.sum_s == pytest.approx(0.049)
    assert store.stats.waits().sum_s == pytest.approx(sum(at - due_ms for at, _ in told) / 1000)
    assert store.maintenance.verify() == []


def test_all_that_a_report_tells_is_told_of_one_moment(
    store, clock, submit, lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the store takes for each of them."""
    ids = [submit() for _ in range(6)]
    leases = lease(6)
    clock.advance(60)

    readings = itertools.count(clock.wall, 20)
    monkeypatch.setattr(clock, "wall_ms", lambda: next(readings))
    ways = [
        (Ending.FAILED_PERMANENTLY, None, JobError("ValueError", "it broke")),
        (Ending.SUCCEEDED, "1", None),
        (Ending.SNOOZED, None, None),
    ]
    ends = [
        Finished(one, *way, run=RunTimes(ago, ago - 10))
        for one, way, ago in zip(leases, ways * 2, range(60, 0, -10), strict=True)
    ]
    assert store.leases.finish(ends) == set()
    attempts = [store.jobs.attempts(job_id)[0] for job_id in ids]
    times = [(one.started_at_ms, one.finished_at_ms) for one in attempts]
    first = leases[0].started_at_ms
    assert [ended - started for started, ended in times] == [10] * 6
    assert [started - times[0][0] for started, _ in times] == [0, 10, 20, 30, 40, 50]
    assert 0 <= times[0][0] - first <= 100, "at the first reading"


@both_ways
def test_a_clock_that_is_set_makes_no_time_negative(store, clock, submit, lease, ending) -> None:
    for jump_ms in (-3_600_000, -2_000, 3_600_000):
        job_id = submit()
        (one,) = lease()
        clock.advance(2_060)  # after a jump of two seconds, it is still later than the lease
        clock.wall += jump_ms
        finish(store, [one], ending, [RunTimes(1_550, 10)])
        job = store.jobs.get(job_id)
        assert (job.started_at_ms, job.finished_at_ms) == (clock.wall - 1_550, clock.wall - 10)
    (ran,) = store.stats.runs().values()
    assert ran.sum_s == pytest.approx(3 * 1.54)


def test_an_attempt_whose_worker_tells_nothing_counts_from_the_lease(
    store, clock, submit, lease
) -> None:
    job_id = submit()
    (one,) = lease()
    clock.advance(30)
    assert store.leases.free("life-1", None) == [job_id]
    (attempt,) = store.jobs.attempts(job_id)
    assert (attempt.started_at_ms, attempt.finished_at_ms) == (one.started_at_ms, clock.wall)


def test_each_attempt_keeps_what_it_cost(store, submit, lease, end) -> None:
    job_id = submit()
    end(*lease(), Ending.SNOOZED, cpu_s=0.25, max_rss_bytes=5_000_000_000)
    end(*lease(), cpu_s=1.5, max_rss_bytes=40_000_000)
    costs = [(one.cpu_s, one.max_rss_bytes) for one in store.jobs.attempts(job_id)]
    assert costs == [(0.25, 5_000_000_000), (1.5, 40_000_000)]
