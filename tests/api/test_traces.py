"""The header `traceparent`: a valid one is kept with the job, any other is ignored."""

from typing import Any

import pytest

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([("traceparent", TRACE)], TRACE),
        ([("TraceParent", TRACE)], TRACE),
        ([], None),
        ([("traceparent", TRACE.upper())], None),
        ([("traceparent", "ä".encode("latin-1"))], None),
        ([("traceparent", TRACE), ("traceparent", TRACE)], None),
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/jobs/batch"])
def test_a_job_is_part_of_its_caller_s_trace(
    api: Any, path: str, headers: Any, kept: str | None
) -> None:
    body: Any = {"type": "add"}
    if path == "/jobs/batch":
        body = {"jobs": [body, body]}
    answer = api.client.post(path, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    leases = api.lease(10)
    assert len(leases) == (2 if path == "/jobs/batch" else 1)
    assert {lease.traceparent for lease in leases} == {kept}
    assert {lease.cancel_requested for lease in leases} == {False}
