"""A retry while a dependency of the job fails."""

import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.errors import TransitionRefused
from tests.contract.conftest import Opener
from tests.contract.postgres.conftest import begin_and_wait

pytestmark = pytest.mark.backends("postgresql")


def test_a_dependency_that_fails_meanwhile_refuses_the_retry(
    another: Opener, admin: psycopg.Connection
) -> None:
    first, second = another(), another()
    needed = first.jobs.submit(NewJob("noop")).job.id
    job_id = first.jobs.submit(NewJob("noop", depends_on=(needed,))).job.id
    first.jobs.cancel(needed)
    first.jobs.retry(needed)
    refused: list[str] = []

    def retry() -> None:
        try:
            second.jobs.retry(job_id)
        except TransitionRefused as error:
            refused.append(str(error))

    with first.write(durable=True):
        first.jobs.cancel(needed)
        retries = begin_and_wait(admin, retry)
    retries.join()
    assert refused == [
        f"job {job_id} depends on job {needed}, which is cancelled: retry that first"
    ]
    assert first.jobs.get(job_id).status is Status.CANCELLED
    assert first.maintenance.verify() == []
