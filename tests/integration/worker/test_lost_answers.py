"""A worker is not told of the leases that it has: the answer to their commit gets lost."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store
from tests.many_hosts.tcp_proxy import TcpProxy

LEASES_LAST = {"leases.ttl": "600s", "leases.renew_every": "100s"}
"""Longer than the test waits."""
COMMIT_OF_LEASES = (b"lease_incarnation = lease.incarnation", b"COMMIT")


@pytest.fixture
def store(postgresql_url: str, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(postgresql_url, create=True, state_dir=str(tmp_path / "state"))
    yield opened
    opened.close()


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[TcpProxy]:
    """Between the worker and the database."""
    port = psycopg.conninfo.conninfo_to_dict(postgresql_url)["port"]
    with TcpProxy(int(port or 0)) as one:
        yield one


@pytest.mark.parametrize("concurrency", [1, 3])
def test_jobs_that_a_worker_has_leased_unawares_run_soon_and_pay_nothing(
    store: Store,
    proxy: TcpProxy,
    postgresql_url: str,
    tmp_path: Path,
    start_alone: Callable[..., Any],
    wait_for: Callable[..., Any],
    concurrency: int,
) -> None:
    job_ids = store.jobs.submit_many([NewJob("nap")] * 3)
    proxy.lose_answer(*COMMIT_OF_LEASES)
    url = postgresql_url.replace(f":{proxy.target}/", f":{proxy.port}/")
    database_settings = {"database.url": url, "database.state_dir": str(tmp_path / "state")}
    start_alone({**LEASES_LAST, **database_settings, "pools.default.concurrency": str(concurrency)})
    jobs = store.jobs
    wait_for(lambda: proxy.has_lost_answer, "the answer to get lost")
    wait_for(
        lambda: all(jobs.get(one).status is Status.DONE for one in job_ids), "the jobs to be done"
    )
    for job_id in job_ids:
        assert [one.outcome for one in jobs.attempts(job_id)] == ["succeeded"]
    assert store.maintenance.verify() == []
