"""A bulk action beside workers that end the same jobs."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import BulkAction, JobFilter
from tests.contract.conftest import Opener
from tests.machine import wait_until

pytestmark = pytest.mark.backends("postgresql")

_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
_FREE = "SELECT id FROM orpheus.jobs FOR NO KEY UPDATE SKIP LOCKED"


@pytest.fixture
def admin(postgresql_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgresql_url, autocommit=True) as opened:
        yield opened


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
