"""The page of schedules reads their last jobs by the indexes, however many jobs there are."""

import json
from contextlib import closing
from pathlib import Path

import psycopg

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store


def test_the_last_jobs_of_schedules_are_read_by_their_tags_and_not_among_all_jobs(
    postgresql_url: str, admin: psycopg.Connection, tmp_path: Path
) -> None:
    with closing(open_store(postgresql_url, create=True, state_dir=str(tmp_path))) as store:
        jobs = [NewJob("noop", tags=(f"schedule:{n % 100}",)) for n in range(6_000)]
        store.jobs.submit_many(jobs)
        admin.execute("ANALYZE")
        sql = f"EXPLAIN {store._database.sql('schedules.sql')['last-runs']}"
        wanted = json.dumps(["schedule:1", "schedule:2"])
        plan = "\n".join(line for (line,) in store._database.all(sql, wanted))
    assert "Index Cond: (id = job_tags.job_id)" in plan, plan
    assert "Index Cond: (tag = wanted.tag)" in plan, plan
