"""A retry while a dependency of the job fails."""

import threading

import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.errors import TransitionRefused
from orpheus.shared.storage import Store
from tests.contract.conftest import Opener
from tests.machine import wait_until

pytestmark = pytest.mark.backends("postgresql")

_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"


def test_a_dependency_that_fails_meanwhile_refuses_the_retry(
    another: Opener, admin: psycopg.Connection
) -> None:
    first, second = another(), another()
    needed = first.jobs.submit(NewJob("noop")).job.id
    job_id = first.jobs.submit(NewJob("noop", depends_on=(needed,))).job.id
    first.jobs.cancel(needed)
    first.jobs.retry(needed)
    refused: list[str] = []

    def retry(store: Store) -> None:
        try:
            store.jobs.retry(job_id)
        except TransitionRefused as error:
            refused.append(str(error))

    retries = threading.Thread(target=retry, args=(second,))
    with first.write(durable=True):
        first.jobs.cancel(needed)
        retries.start()
        wait_until(lambda: admin.execute(_WAITING).fetchone(), "the retry to wait")
    retries.join()
    assert refused == [
        f"job {job_id} depends on job {needed}, which is cancelled: retry that first"
    ]
    assert first.jobs.get(job_id).status is Status.CANCELLED
    assert first.maintenance.verify() == []
