"""What a client refuses, or is refused: the same error from every kind."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus.client import InvalidJob, JobRequest, NotFound, TooLarge, TransitionRefused
from tests.api.conftest import Running

UNKNOWN = (0, -1, 99, 2**63 - 1, 2**63, 2**70)


def nested(depth: int) -> dict[str, Any]:
    """Objects that lie in each other."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


REFUSED: list[tuple[str, Any, list[str], str]] = [
        ("ad", {}, ["/type"], "type: no job type is called 'ad'; did you mean 'add'?"),
        ("none", {}, ["/type"], "type: no job type is called 'none'"),
        ("strict", {}, ["/payload/n"], "payload.n: is required"),
        ("strict", {"n": "x"}, ["/payload/n"], "payload.n: \"x\" is not of type \"integer\""),
        (
            "strict",
            {"m/n": 1},
            ["/payload/m~1n", "/payload/n"],
            "payload.m~1n: is not a field of this job type; payload.n: is required",
        ),
        ("add", {"a": float("nan")}, ["/payload/a"], "payload.a: is nan: a number must be finite"),
        ("add", {"a": [2**64]}, ["/payload/a/0"], "payload.a.0: is an integer over 64 bits"),
        ("add", {"a": "\0"}, ["/payload/a"], "payload.a: contains a NUL character"),
        ("add", {"a": {1, 2}}, ["/payload/a"], "payload.a: is of type set"),
        ("add", [1], ["/payload"], "payload: must be a dict"),
        ("add", nested(32), ["/payload"], "payload: is nested too deep"),
]  # fmt: skip


def test_a_job_that_is_refused_names_each_field(client: Any, untouched: Any) -> None:
    for type, payload, pointers, text in REFUSED:
        with pytest.raises(InvalidJob) as told:
            client.submit(type, payload)
        assert str(told.value) == text
        assert [one.pointer for one in told.value.problems] == pointers
        with pytest.raises(InvalidJob) as told:
            client.submit_many([JobRequest("add"), JobRequest(type, payload)])
        in_batch = [f"/jobs/1{one}" for one in pointers]
        assert [one.pointer for one in told.value.problems] == in_batch, text


def test_a_payload_may_be_as_deep_as_the_api_reads(client: Any) -> None:
    assert client.submit("add", nested(31)).payload == nested(31)
    ids = client.submit_many([JobRequest("add", nested(29))])
    assert client.get(ids[0]).payload == nested(29)
    with pytest.raises(InvalidJob, match="nested too deep"):
        client.submit_many([JobRequest("add", nested(30))])


def test_a_single_job_has_no_refs(client: Any, untouched: Any) -> None:
    with pytest.raises(InvalidJob, match="ref: is for a job of a batch"):
        client.submit("add", ref="a")
    with pytest.raises(InvalidJob, match=r"depends_on\.0: must be the id of a job"):
        client.submit("add", depends_on=["a"])
    with pytest.raises(InvalidJob, match=r"depends_on\.0: there is no job 99"):
        client.submit("add", depends_on=[99])


def test_more_than_is_allowed_is_too_large(client: Any, untouched: Any) -> None:
    with pytest.raises(TooLarge, match="larger than 1048576 bytes"):
        client.submit("add", {"text": "x" * 1_048_576})
    with pytest.raises(TooLarge, match="larger than 16777216 bytes"):
        client.submit_many(JobRequest("add", {"text": "x" * 1_000_000}) for _ in range(17))
    with pytest.raises(InvalidJob, match="has 10,001 jobs: a batch may have 10,000"):
        client.submit_many([JobRequest("add")] * 10_001)


def test_an_unknown_id_is_a_lookup_error(client: Any) -> None:
    for method in ("get", "wait", "cancel", "retry", "run_now", "delete", "logs", "events"):
        for job_id in UNKNOWN:
            with pytest.raises(NotFound, match=f"there is no job {job_id}") as told:
                getattr(client, method)(job_id)
            assert isinstance(told.value, LookupError)


def test_what_the_status_does_not_allow_is_refused(client: Any, api: Running) -> None:
    job = client.submit("add")
    for method in ("retry", "delete"):
        with pytest.raises(TransitionRefused, match=f"job {job.id} is pending"):
            getattr(client, method)(job)
    api.run_one()
    for method in ("cancel", "retry", "run_now"):
        with pytest.raises(TransitionRefused, match=f"job {job.id} is done"):
            getattr(client, method)(job)


LATE = "2999-01-01T00:00:00Z"


def test_other_arguments_that_cannot_be_right(client: Any) -> None:
    client.submit("add")
    calls: list[tuple[Callable[[], Any], type[Exception]]] = [
        (lambda: list(client.jobs(limit=-1)), ValueError),
        (lambda: list(client.jobs(type="a b")), ValueError),
        (lambda: list(client.jobs(q="")), ValueError),
        (lambda: list(client.jobs(where="jobs.py:12")), ValueError),
        (lambda: list(client.jobs(payload=" ")), ValueError),
        (lambda: list(client.jobs(since="yesterday")), ValueError),
        (lambda: list(client.jobs(status="pending", since=LATE)), ValueError),
        (lambda: list(client.jobs(since=LATE, until=LATE)), ValueError),
        (lambda: client.cancel(1, reason=""), ValueError),
        (lambda: client.cancel(1, reason="x" * 1_001), ValueError),
        (lambda: client.get("7"), TypeError),
        (lambda: client.get(True), TypeError),
        (lambda: client.wait(1, timeout="soon"), ValueError),
    ]
    for call, error in calls:
        with pytest.raises(error):
            call()
    statuses = "blocked, pending, in_progress, done, failed, cancelled"
    with pytest.raises(ValueError, match=f"status: 'finished' is none of {statuses}"):
        list(client.jobs(status="finished"))
    with pytest.raises(TypeError, match=r"jobs\[1\]: .* JobRequest\(type, payload\) .*\('add', \{"):
        client.submit_many([JobRequest("add"), ("add", {})])
