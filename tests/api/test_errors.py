"""GET /errors."""

from typing import Any

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending, Finished

TRACE = 'Traceback (most recent call last):\n  File "/app/jobs.py", line 12, in resize\n'


def test_failed_jobs_are_counted_by_type_error_and_location(api: Any) -> None:
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


def fail(api: Any, trace: str | None = TRACE) -> int:
    job_id: int = api.submit()
    (lease,) = api.lease()
    error = JobError("ValueError", "no such file", trace)
    api.store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])
    return job_id


def test_a_group_is_retried_as_it_was_counted(api: Any) -> None:
    mine = [fail(api), fail(api)]
    other = fail(api, None)
    group = api.client.get("/errors").json()["items"][0]
    later = fail(api)
    body = {
        "action": "retry",
        "filter": {
            "status": "failed",
            "type": group["type"],
            "error": group["error"],
            "where": group["where"],
        },
        "max_id": group["max_id"],
        "expected_count": group["count"],
        "reason": "the disk is back",
    }
    assert api.client.post("/jobs/bulk", json=body).json() == {"changed": 2}
    statuses = [api.client.get(f"/jobs/{one}").json()["status"] for one in (*mine, other, later)]
    assert statuses == ["pending", "pending", "failed", "failed"]
    assert api.client.post("/jobs/bulk", json=body).status_code == 409
