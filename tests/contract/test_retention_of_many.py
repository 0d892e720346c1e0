"""Retention takes few statements for many jobs, and does not read again and again what it keeps."""

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import NewJob, NewLine, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store
from tests.contract.conftest import End, LeaseSome, Submit
from tests.contract.test_retention import A_MINUTE_MS, RULES, is_there, sweep


def test_thousands_of_jobs_go_by_few_statements(
    store: Store, clock, submit: Submit, lease: LeaseSome, end: End, statements: list[str]
) -> None:
    for first in range(0, 5_000, 500):
        store.jobs.submit_many([NewJob("noop", queue=f"queue-{first % 3}", tags=("a",))] * 500)
        held = lease(500)
        store.logs.append(held[0].job_id, held[0].token, 1, [NewLine(1, "info", "a line")] * 250)
        store.leases.finish([Finished(one, Ending.SUCCEEDED, "null") for one in held])
    kept = submit()
    waiting = submit(depends_on=(kept,), delay_ms=10**9)
    end(*lease())
    clock.advance(101_000)
    statements.clear()
    sweep(store, replace(RULES, events=10**6))
    assert statements.count("BEGIN") <= 10
    assert len(statements) < 200
    counts = store.stats.counts()
    assert (counts[Status.DONE], counts[Status.BLOCKED] + counts[Status.PENDING]) == (1, 1)
    assert is_there(store, kept)
    assert is_there(store, waiting)
    assert store.maintenance.verify() == []
    assert store.maintenance.check() == []


def test_jobs_that_are_kept_for_others_are_read_once_a_minute(
    store: Store,
    clock,
    submit: Submit,
    lease: LeaseSome,
    end: End,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = [submit() for _ in range(3)]
    for held in lease(3):
        end(held)
    submit(depends_on=tuple(kept), delay_ms=10**9)
    read: list[int] = []
    sql, read_all = store.retention._sql["expired-jobs"], store._database.all

    def note(statement: str, *values: object) -> list[tuple[int, ...]]:
        rows = read_all(statement, *values)  # type: ignore[arg-type]
        read.extend(row[0] for row in rows if statement == sql)
        return rows

    monkeypatch.setattr(store._database, "all", note)
    clock.advance(101_000)
    sweep(store)
    for _ in range(5):
        gone = submit()
        end(*lease())
        clock.advance(101)
        sweep(store, replace(RULES, done_s=0.1))
        assert not is_there(store, gone)
    assert all(read.count(one) == 1 for one in kept)
    clock.advance(A_MINUTE_MS)
    sweep(store)
    assert all(read.count(one) == 2 for one in kept)


def test_it_knows_how_late_it_is(store: Store, clock, submit: Submit) -> None:
    for _ in range(3):
        store.jobs.cancel(submit())
    assert store.retention.lag_s == 0
    clock.advance(260_000)
    store.retention.step(RULES)
    assert store.retention.lag_s == 60
    sweep(store)
    assert store.retention.lag_s == 0
    store.jobs.submit_many([NewJob("noop")] * 1_200)
    store.maintenance.checkpoint()
    clock.advance(5_000)
    store.retention.step(RULES)
    assert store.retention.lag_s == 5, "so long ago there was one event too many"
    sweep(store)
    assert store.retention.lag_s == 0
