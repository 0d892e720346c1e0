"""What surrounds attempts, and jobs that submit jobs which depend on each other, in a worker."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Status

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_flow_of_jobs_in_one_trace(
    database: Any,
    start_alone: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes = tmp_path / "attempts.jsonl"
    monkeypatch.setenv("NOTES", str(notes))
    start_alone({"jobs.modules": '["around_jobs"]', "jobs.around": '["around_jobs:noting"]'})
    payload = '{"pages": ["a", "b", "missing"]}'
    first = database.submit("order", payload, traceparent=TRACEPARENT)
    database.wait(first)
    store = database.store
    (joined,) = store.jobs.page(JobFilter(type="join"), 10)
    job = database.wait(joined.id)
    assert job.status is Status.DONE, job.error
    assert json.loads(job.result) == {
        "first": "text of a",
        "order": None,
        "missing": ["KeyError", "'missing'"],
        "done": 3,
    }
    (failed,) = store.jobs.page(JobFilter(status=Status.FAILED), 10)
    assert database.outcomes(failed.id) == ["failed"], "a permanent error is not retried"
    database.wait(database.submit("fork"))
    lines = notes.read_text(encoding="utf-8").splitlines()
    attempts = [json.loads(line) for line in lines]
    assert [(one["type"], one["attempt"], one["ended"]) for one in attempts] == [
        ("order", 1, "RuntimeError"),
        ("order", 2, "done"),
        ("fetch", 1, "done"),
        ("fetch", 1, "done"),
        ("fetch", 1, "KeyError"),
        ("join", 1, "done"),
        ("fork", 1, "done"),  # once: a forked child ends before it leaves what is around it
    ]
    assert {one["trace"] for one in attempts[:-1]} == {TRACEPARENT}
