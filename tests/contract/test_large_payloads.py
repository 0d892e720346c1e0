"""A large payload is stored once, and not written again whenever its job changes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, database_path

LARGE = '"' + "ü" * 400_000 + ' needle"'
HOLDER = Holder("default-1", "life-1", 1)


@pytest.fixture
def log_grows_by(store: Store, url: str) -> Callable[[Callable[[], object]], int]:
    """How many bytes a call adds to the write-ahead log."""
    log = Path(f"{database_path(url)}-wal")
    store._database.run("PRAGMA wal_autocheckpoint = 0")

    def grows_by(call: Callable[[], object]) -> int:
        before_bytes = log.stat().st_size
        call()
        return log.stat().st_size - before_bytes

    return grows_by


@pytest.mark.parametrize(
    "payload", [LARGE, '{"n":1}', '"' + "x" * 998 + '"', '"' + "x" * 999 + '"']
)
def test_a_payload_is_the_same_wherever_it_is_read(store: Store, payload: str) -> None:
    first, _ = store.jobs.submit_many([NewJob("one", payload=payload), NewJob("two")])
    assert store.jobs.get(first).payload == payload
    assert [job.payload for job in store.jobs.page(JobFilter(), 9)] == ["{}", payload]
    previews = store.lists.page(JobFilter(), 9, preview_chars=6).jobs
    assert [job.payload for job in previews] == ["{}", payload[:6]]
    leases = store.leases.lease(HOLDER, ["*"], 9, 30_000)
    assert [lease.payload for lease in leases] == [payload, "{}"]


@pytest.mark.backends("sqlite")
def test_what_becomes_of_a_job_does_not_write_its_large_payload_again(
    store: Store, log_grows_by: Callable[[Callable[[], object]], int]
) -> None:
    store.jobs.submit(NewJob("one", payload=LARGE))
    leases = []
    assert log_grows_by(lambda: leases.extend(store.leases.lease(HOLDER, ["*"], 1, 30_000))) < 1e5
    (lease,) = leases
    progress = store.leases.progress
    assert log_grows_by(lambda: progress(lease.job_id, lease.token, 0.5, "half")) < 1e5
    ended = Finished(lease, Ending.SUCCEEDED, "1")
    assert log_grows_by(lambda: store.leases.finish([ended])) < 1e5


def test_a_large_payload_is_deleted_with_its_job(store: Store) -> None:
    job_id = store.jobs.submit(NewJob("one", payload=LARGE)).job.id
    store.jobs.cancel(job_id)
    store.jobs.delete(job_id)
    assert store._database.all("SELECT * FROM large_payloads") == []
