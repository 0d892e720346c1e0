"""Of a job that snoozes for ever, only the newest attempts are kept."""

import pytest

from orpheus.shared.domain.jobs import NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs import ended_leases
from tests.contract.conftest import End, LeaseSome, Submit


def in_schema(store: Store, sql: str) -> str:
    return sql.format("orpheus." if store.has_many_hosts else "")


@pytest.fixture
def job_id(store: Store, submit: Submit) -> int:
    """A job that failed once, then snoozed, and has 1,050 attempts, all of them stored."""
    job_id = submit(max_retries=1)
    insert = """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1050)
        INSERT INTO {}ended_attempts (
            job_id, number, outcome, worker, pid, started_at_ms, finished_at_ms, lease_token)
        SELECT ?, i, CASE i WHEN 1 THEN 'failed' ELSE 'snoozed' END, 'default-1', 1, i, i, i - 2000
        FROM n"""
    with store.write(durable=False):
        store._database.run(in_schema(store, insert), job_id)
        update = in_schema(store, "UPDATE {}jobs SET attempt = 1050, failures = 1 WHERE id = ?")
        store._database.run(update, job_id)
    return job_id


def stored(store: Store, job_id: int) -> list[int]:
    sql = "SELECT number FROM {}ended_attempts WHERE job_id = ? ORDER BY number"
    return [row[0] for row in store._database.all(in_schema(store, sql), job_id)]


def test_each_end_of_an_attempt_deletes_some_of_the_oldest_beyond_the_newest_1000(
    store: Store, job_id: int, lease: LeaseSome, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_leases, "_OLD_AT_ONCE", 20)
    left = []
    for _ in range(4):
        (held,) = lease()
        end(held, Ending.SNOOZED, snooze_ms=0)
        left.append(stored(store, job_id))
        assert store.maintenance.verify() == []
    firsts = (21, 41, 54, 55)
    assert left == [
        [*range(first, last + 1)] for first, last in zip(firsts, range(1051, 1055), strict=True)
    ]
    assert [one.number for one in store.jobs.attempts(job_id)] == left[-1]


def test_the_lines_of_an_attempt_go_with_it_some_at_a_time(
    store: Store, job_id: int, lease: LeaseSome, end: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = """INSERT INTO {}job_logs (job_id, attempt, at_ms, level, line, fields)
        VALUES (?, ?, 1, 'info', 'a line', '{{}}')"""
    other = store.jobs.submit(NewJob("noop")).job.id
    with store.write(durable=False):
        for number in (1, 1, 2, 3, 3, 40, 60, 1_050):
            store._database.run(in_schema(store, insert), job_id, number)
        store._database.run(in_schema(store, insert), other, 1)
    monkeypatch.setattr(ended_leases, "_LINES_AT_ONCE", 4)
    left = []
    for _ in range(3):
        (held,) = lease()
        end(held, Ending.SNOOZED, snooze_ms=0)
        left.append([line.attempt for line in store.logs.after(job_id, 0, 100)])
    assert left == [[3, 40, 60, 1_050], [60, 1_050], [60, 1_050]]
    assert len(store.logs.after(other, 0, 100)) == 1


def test_a_job_whose_first_attempts_are_gone_knows_what_it_has_spent_and_goes_on_counting(
    store: Store, job_id: int, lease: LeaseSome, end: End
) -> None:
    (held,) = lease()
    end(held, Ending.SNOOZED, snooze_ms=0)
    assert stored(store, job_id)[0] == 52
    (held,) = lease()
    end(held, Ending.FAILED)
    assert store.jobs.get(job_id).status is Status.FAILED, "both its attempts are spent"
    store.jobs.retry(job_id)
    (held,) = lease()
    assert held.attempt == 1_053
    store.leases.release([held])
    (held,) = lease()
    end(held)
    shown = store.jobs.attempts(job_id)
    assert (shown[-1].number, shown[-1].outcome, len(shown)) == (1_053, Outcome.SUCCEEDED, 1_000)
    assert store.maintenance.verify() == []
