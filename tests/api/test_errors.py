"""GET /errors."""

from typing import Any

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending, Finished

TRACE = 'Traceback (most recent call last):\n  File "/app/jobs.py", line 12, in resize\n'


def test_failed_jobs_are_counted_by_type_error_and_place(api: Any) -> None:
    assert api.client.get("/errors").json() == {"items": []}
    for trace in (TRACE, TRACE, None):
        api.submit()
        (lease,) = api.lease()
        error = JobError("ValueError", "no such file", trace)
        api.store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])
    items = api.client.get("/errors").json()["items"]
    found = [(one["error"], one["where"], one["count"], one["newest"]) for one in items]
    assert found == [("ValueError", "jobs.py:12 in resize", 2, 2), ("ValueError", None, 1, 3)]
    assert items[0]["type"] == "add"
    assert items[0]["first_seen"] <= items[0]["last_seen"]
    job = api.client.get("/jobs/1").json()
    assert job["error"] == {"type": "ValueError", "message": "no such file", "traceback": TRACE}
