"""Retention beside the open transaction of an application."""

import psycopg
import pytest

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import open_store_in
from tests.contract.conftest import FakeClock, Opener

pytestmark = pytest.mark.backends("postgresql")


def test_a_job_that_an_open_transaction_depends_on_is_passed_over(
    another: Opener, clock: FakeClock, postgresql_url: str
) -> None:
    store = another()
    needed, other = store.jobs.submit_many([NewJob("noop")] * 2)
    store.jobs.cancel(needed)
    store.jobs.cancel(other)
    clock.advance(1)
    rules = RetentionRules(done_s=0, failed_s=0, cancelled_s=0, events=1_000)
    with psycopg.connect(postgresql_url) as application:
        inside = open_store_in(application, lambda answer: answer)
        late = inside.jobs.submit(NewJob("noop", depends_on=(needed,))).job.id
        assert store.retention.step(rules)
        with pytest.raises(NotFound):
            store.jobs.get(other)
        assert not all(store.retention.step(rules) for _ in range(5)), "it looks again in vain"
    while store.retention.step(rules):
        pass
    assert store.jobs.get(late).depends_on == (needed,)
    assert store.jobs.get(needed).id == needed


def test_deleting_events_reads_only_the_events_it_deletes(
    another: Opener, admin: psycopg.Connection
) -> None:
    """Not those before, which are deleted and not yet vacuumed, nor the whole table."""
    store = another()
    rows = "SELECT n, 0, 'job.finished', '{}' FROM generate_series(1, 50000) AS n"
    admin.execute(f"INSERT INTO orpheus.events (seq, at_ms, kind, body) {rows}")
    for statistics in ("none", "ANALYZE orpheus.events"):
        if statistics != "none":
            admin.execute(statistics)
        sql = f"EXPLAIN {store._database.sql('retention.sql')['delete-events']}"
        plan = "\n".join(line for (line,) in store._database.all(sql, 40_001, 40_500))
        assert "Index Cond: ((seq >= " in plan, f"{statistics}: {plan}"
