"""A bulk action beside workers that end the same jobs."""

import threading
import time

import psycopg
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.storage import BulkAction
from tests.contract.conftest import Opener
from tests.machine import wait_until

pytestmark = pytest.mark.backends("postgresql")

_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
_FREE = "SELECT id FROM orpheus.jobs FOR NO KEY UPDATE SKIP LOCKED"

_LONG_LOG = """INSERT INTO orpheus.job_logs (job_id, attempt, at_ms, level, line, fields)
    SELECT ?, 1, 1, '', '', '' FROM generate_series(1, 200)"""


def test_it_waits_for_the_limits_before_it_locks_a_job(
    another: Opener, admin: psycopg.Connection
) -> None:
    operator, worker = another(), another()
    keys = (None, "k", None)
    ids = worker.jobs.submit_many([NewJob("noop", concurrency_key=key) for key in keys])
    changes = threading.Thread(
        target=operator.bulk.change, args=(BulkAction.CANCEL, JobFilter()), kwargs={"by": "cli"}
    )
    with worker.write(durable=True):
        worker.keys.lock()
        changes.start()
        wait_until(lambda: admin.execute(_WAITING).fetchone(), "the bulk action to wait")
        free = {row[0] for row in admin.execute(_FREE).fetchall()}
    changes.join()
    assert free == set(ids)


def test_of_jobs_that_another_holds_it_leaves_out_only_those_and_soon_frees_the_limits(
    another: Opener, admin: psycopg.Connection
) -> None:
    operator = another()
    ids = operator.jobs.submit_many([NewJob("noop")] * 4)
    operator.bulk.change(BulkAction.CANCEL, JobFilter(), by="cli")
    changed: list[int] = []
    began = time.monotonic()
    with admin.transaction():
        admin.execute("SELECT FROM orpheus.jobs WHERE id = ANY(%s) FOR KEY SHARE", [ids[1:3]])
        with pytest.raises(DatabaseBusy, match="; 2 jobs were changed before, the others were not"):
            operator.bulk.change(
                BulkAction.DELETE, JobFilter(), by="cli", before_each=changed.append
            )
        with operator.write(durable=False):
            operator._database.run(_LONG_LOG, ids[1])
        with pytest.raises(DatabaseBusy):
            operator.bulk.change(BulkAction.DELETE, JobFilter(ids=(ids[1],)), by="cli")
    assert time.monotonic() - began < 9, "so long it would wait for one job, with the limits locked"
    assert changed == [0, 0, 2, 2]
    assert operator.bulk.change(BulkAction.DELETE, JobFilter(), by="cli") == 2
    assert operator.maintenance.verify() == []
