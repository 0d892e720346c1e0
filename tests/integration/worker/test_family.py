"""Children that a job submits with its end, and results of the jobs that it depends on."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Status
from orpheus.shared.storage import JobFilter

Start = Callable[..., Any]


def submit_parent(database: Any, *children: dict[str, Any], **fields: Any) -> int:
    payload = json.dumps({"children": children, **fields})
    job_id: int = database.submit("parent", payload, max_retries=0)
    return job_id


def all_jobs(database: Any) -> list[Any]:
    jobs: list[Any] = database.store.jobs.page(JobFilter(), 100)
    return jobs


def test_children_are_there_with_all_they_were_given_once_the_parent_is_done(
    database: Any, start_alone: Start
) -> None:
    start_alone().wait_until_ready()
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
    plain, full, _ = all_jobs(database)
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


def test_children_run(database: Any, start_alone: Start) -> None:
    start_alone().wait_until_ready()
    parent = submit_parent(database, *[{"type": "nap"}] * 20)
    database.wait(parent)
    jobs = all_jobs(database)
    assert len(jobs) == 21
    for one in jobs:
        assert database.wait(one.id).status is Status.DONE


def test_a_parent_that_fails_leaves_no_child(database: Any, start_alone: Start) -> None:
    start_alone().wait_until_ready()
    parent = submit_parent(database, {"type": "nap"}, fail=True)
    assert database.wait(parent).status is Status.FAILED
    assert len(all_jobs(database)) == 1


@pytest.mark.parametrize(
    ("child", "problem"),
    [
        ({"type": "npa"}, "type: no job type is called 'npa'; did you mean 'nap'?"),
        ({"type": "nap", "payload": {"second": 1}}, "payload.second: is not a field"),
        ({"type": "nap", "payload": {"seconds": "x"}}, "payload.seconds: "),
        ({"type": "nap", "priority": 1001}, "priority: must be an integer from -1000 to 1000"),
        ({"type": "nap", "tags": ["a b"]}, "tags.0: is no name"),
        ({"type": "nap", "timeout": "0s"}, "timeout: must be longer than 0"),
    ],
)
def test_a_bad_child_fails_its_parent_for_good_naming_the_field(
    database: Any, start_alone: Start, child: dict[str, Any], problem: str
) -> None:
    start_alone().wait_until_ready()
    parent = database.wait(submit_parent(database, {"type": "nap"}, child))
    assert (parent.status, parent.error.type) == (Status.FAILED, "PermanentError")
    assert problem in parent.error.message
    assert len(all_jobs(database)) == 1


def test_a_job_sees_the_results_of_those_it_depends_on(database: Any, start_alone: Start) -> None:
    start_alone().wait_until_ready()
    add = database.submit("sum_range", '{"n": 10}')
    hopeless = database.submit("hopeless")
    sure = database.submit("nap")
    after = database.submit(
        "gathering", depends_on=(add, hopeless, sure), on_dependency_failure="run"
    )
    assert json.loads(database.wait(after).result) == {str(add): {"sum": 55}, str(sure): None}


def test_a_job_that_depends_on_none_sees_no_results(database: Any, start_alone: Start) -> None:
    start_alone().wait_until_ready()
    assert database.wait(database.submit("gathering")).result == "{}"
