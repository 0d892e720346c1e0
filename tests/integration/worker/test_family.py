"""Children that a job submits with its end, and results of the jobs that it depends on."""

import json
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter


@pytest.fixture
def database(shared_database: Any, shared_worker: Any) -> Any:
    """A database with one worker, for all tests of this module."""
    return shared_database


def submit_parent(database: Any, *children: dict[str, Any], **fields: Any) -> int:
    payload = json.dumps({"children": children, **fields})
    job_id: int = database.submit("parent", payload, max_retries=0)
    return job_id


def jobs_since(database: Any, job_id: int) -> list[Any]:
    """That job and those submitted after it, newest first."""
    return [job for job in database.store.jobs.page(JobFilter(), 100) if job.id >= job_id]


def test_children_are_submitted_with_all_their_fields_once_the_parent_is_done(
    database: Any,
) -> None:
    child = {
        "type": "nap",
        "payload": {"seconds": 0.001},
        "queue": "mail",
        "priority": 7,
        "max_retries": 1,
        "timeout": "5s",
        "unique_key": "only",
        "tags": ["a", "b"],
    }
    parent = submit_parent(database, child, child, {"type": "nap"}, delay="1h")
    assert database.wait(parent).result == "3"
    plain, full, _ = jobs_since(database, parent)
    assert (full.type, full.payload, full.queue, full.priority) == (
        "nap",
        '{"seconds":0.001}',
        "mail",
        7,
    )
    assert (full.max_retries, full.timeout_s, full.unique_key, full.tags) == (
        1,
        5.0,
        "only",
        ("a", "b"),
    )
    assert full.run_at_ms - full.created_at_ms == 3_600_000
    assert (plain.max_retries, plain.timeout_s, plain.queue) == (3, 900.0, "default")
