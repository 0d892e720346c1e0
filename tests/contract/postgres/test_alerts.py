"""What alerts and figures look at is looked up by queue, whatever the server knows of the table."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from msgspec.structs import replace

from orpheus.shared.domain.alerts import AlertRule, RuleState
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store, open_store
from tests.machine import wait_until

LOOKS = {
    ("alerts.sql", "late-jobs"): ("q0", 10**13, 10),
    ("why.sql", "first-due"): ("q0", 1_001, 20),
    ("counts.sql", "due-of-queue"): ("q0", 10_000),
}
WAITS = "SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1"
WRONG = ("jobs_due_of_all", "jobs_pkey", "jobs_by_status", "Seq Scan on jobs", "Seq Scan on ended")
"""With each of these, rows of other queues are read: seconds, once there are many jobs."""


@pytest.fixture
def store(postgresql_url: str, admin: psycopg.Connection, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(postgresql_url, create=True, state_dir=str(tmp_path / "state"))
    admin.execute("ALTER TABLE orpheus.jobs SET (autovacuum_enabled = off)")
    yield opened
    opened.close()


def submit(store: Store, jobs: int, queues: int) -> None:
    some = [NewJob("noop", queue=f"q{n % queues}", priority=n // queues % 5) for n in range(jobs)]
    store.jobs.submit_many(some)


def test_each_look_follows_the_index_of_its_queue_whatever_the_statistics_are(
    store: Store, admin: psycopg.Connection
) -> None:
    def check(statistics: str) -> None:
        for (file, name), values in LOOKS.items():
            sql = f"EXPLAIN {store._database.sql(file)[name]}"
            plan = "\n".join(line for (line,) in store._database.all(sql, *values))
            assert not [one for one in WRONG if one in plan], f"{name}, {statistics}: {plan}"

    check("of an empty table")
    submit(store, 2_000, queues=1)
    check("never analyzed")
    admin.execute("ANALYZE orpheus.jobs")
    check("of one queue")
    submit(store, 4_000, queues=20)
    check("of one queue, before there were others")
    admin.execute("ANALYZE orpheus.jobs")
    check("of many queues")
    admin.execute("VACUUM ANALYZE orpheus.jobs")
    check("of a table that was vacuumed")
    assert store.alerts.late_queues(10**13, 190) == sorted(f"q{n}" for n in range(20))
    assert store.alerts.late_queues(10**13, 201) == ["q0"]


def test_a_rule_that_fires_while_it_is_changed_is_not_forgotten_to_have_fired(
    store: Store, postgresql_url: str, tmp_path: Path
) -> None:
    rule = AlertRule("ops", ("job.failed",), "noop", "{}")
    store.alerts.configure([rule])
    (row,) = store.alerts.all()
    other = open_store(postgresql_url, create=True, state_dir=str(tmp_path / "other"))
    changing = Thread(target=other.alerts.configure, args=([replace(rule, every_s=60)],))
    with store.write(durable=False):
        store.alerts.move(row, row.seq, RuleState(fired_ms=5), None)
        changing.start()
        wait_until(lambda: store._database.one(WAITS) is not None, "it to wait")
    changing.join()
    other.close()
    (changed,) = store.alerts.all()
    assert (changed.rule.every_s, changed.state.fired_ms) == (60, 5)
