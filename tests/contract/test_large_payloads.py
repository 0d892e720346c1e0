"""A large payload is stored once, and not written again whenever its job changes."""

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.storage import Store

LARGE = '"' + "ü" * 400_000 + ' needle"'
HOLDER = Holder("default-1", "life-1", 1)


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


def test_a_large_payload_is_deleted_with_its_job(store: Store) -> None:
    job_id = store.jobs.submit(NewJob("one", payload=LARGE)).job.id
    store.jobs.cancel(job_id)
    store.jobs.delete(job_id)
    assert store._database.all("SELECT * FROM large_payloads") == []
