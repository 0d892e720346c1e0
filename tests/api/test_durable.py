"""Signals, what durable functions have kept, and retries from a step."""

from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.steps import NewStep, StepKind, Suspension
from orpheus.shared.messages.steps import JobSteps, Signal
from tests.api.shapes import checked, problem
from tests.audit_log import entries_of


def kept(api: Any, *results: str) -> int:
    """A job that has kept steps `a`, `b`, … with these results, and has failed."""
    job_id: int = api.submit()
    (lease,) = api.lease()
    for position, result in enumerate(results):
        name = chr(ord("a") + position)
        assert api.store.steps.keep(lease, NewStep(name, position, StepKind.STEP, result, 1500))
    error = JobError("ValueError", "no")
    api.store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])
    return job_id


def waiting(api: Any, step: NewStep, **fields: Any) -> int:
    """A job whose function waits."""
    job_id: int = api.submit()
    (lease,) = api.lease()
    wait = Suspension(step, **fields)
    assert not api.store.leases.finish([Finished(lease, Ending.SNOOZED, wait=wait)])
    return job_id


def steps(api: Any, job_id: int) -> JobSteps:
    answer = api.client.get(f"/jobs/{job_id}/steps")
    assert answer.status_code == 200
    found: JobSteps = checked(JobSteps, answer.text)
    return found


def test_a_signal_wakes_a_function_and_its_first_payload_stays(api: Any) -> None:
    job_id = waiting(api, NewStep("yes?", 0, StepKind.SIGNAL, None, 0, "approved", "42"))
    body = {"name": "approved", "key": "42", "payload": {"n": 2**60}}
    first = api.client.post("/signals", json=body)
    again = api.client.post("/signals", json={**body, "payload": [1]})
    assert (first.status_code, again.status_code) == (201, 200)
    sent, known = (checked(Signal, answer.text) for answer in (first, again))
    assert (sent.is_new, known.is_new, sent.payload) == (True, False, {"n": 2**60})
    assert (known.payload, known.at) == (sent.payload, sent.at)
    assert [lease.job_id for lease in api.lease()] == [job_id]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"name": "a b"}, "/name"), ({"key": ""}, "/key"), ({"key": "k" * 256}, "/key")],
)
def test_a_signal_with_a_wrong_name_or_key_is_refused(
    api: Any, change: dict[str, str], pointer: str
) -> None:
    answer = api.client.post("/signals", json={"name": "approved", "key": "42", **change})
    problem(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_payload_over_the_limit_is_refused_whatever_a_body_may_have(start: Any) -> None:
    api = start(max_body_bytes=2**22)
    for chars, status in ((2**20 - 2, 201), (2**20, 413)):
        body = {"name": "approved", "key": str(chars), "payload": "x" * chars}
        assert api.client.post("/signals", json=body).status_code == status


def test_what_a_function_has_kept_is_listed_and_long_results_are_cut(api: Any) -> None:
    job_id = kept(api, '{"n": 1}', '"' + "x" * 65_535 + '"')
    short, long = steps(api, job_id).items
    assert (short.name, short.kind, short.state, short.result) == ("a", "step", "kept", {"n": 1})
    assert (short.is_cut, short.attempt, short.took_s) == (False, 1, 1.5)
    assert (long.is_cut, long.result) == (True, '"' + "x" * 65_535)
    problem(api.client.get("/jobs/77/steps"), 404)


def test_a_job_and_its_why_say_whether_it_has_steps(api: Any) -> None:
    for job_id, has_steps in ((kept(api, "1"), True), (api.submit(), False)):
        for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/why"):
            assert api.client.get(path).json().get("has_steps", False) is has_steps


def test_a_wait_shows_what_it_waits_for(api: Any) -> None:
    signal = NewStep("yes?", 0, StepKind.SIGNAL, None, 0, "approved", "42")
    (wait,) = steps(api, waiting(api, signal, delay_ms=60_000)).items
    assert (wait.state, wait.signal, wait.key, wait.result) == ("waiting", "approved", "42", None)
    # `at` is read from the clock a moment after what `until` is counted from.
    assert wait.until is not None and 59 < (wait.until - wait.at).total_seconds() <= 60
    child = NewJob("add")
    (wait,) = steps(api, waiting(api, NewStep("m", 0, StepKind.GATHER), children=(child,))).items
    assert [api.client.get(f"/jobs/{job}").json()["type"] for job in wait.children] == ["add"]


def test_a_job_is_retried_from_a_step_and_the_audit_log_names_it(api: Any) -> None:
    job_id = kept(api, "1", "2", "3")
    refused = api.client.post(f"/jobs/{job_id}/retry", json={"from_step": "z"})
    problem(refused, 404)
    assert refused.json()["detail"] == f"job {job_id} has kept no step 'z'"
    body = {"from_step": "b", "reason": "the price was wrong"}
    assert api.client.post(f"/jobs/{job_id}/retry", json=body).json()["status"] == "pending"
    assert [step.name for step in steps(api, job_id).items] == ["a"]
    (row,) = entries_of(api.store, 10)
    assert (row.after, row.reason) == ("pending, from the step 'b'", "the price was wrong")


def test_a_function_that_waits_long_for_a_signal_is_a_concern(start: Any) -> None:
    api = start(waits_long_s=-1)
    job_id = waiting(api, NewStep("yes?", 0, StepKind.SIGNAL, None, 0, "approved", "42"))
    concerns = api.client.get("/stats").json()["verdict"]["concerns"]
    (found,) = [concern for concern in concerns if concern["code"] == "waits_long"]
    assert (found["severity"], found["command"]) == ("cosmetic", f"orpheus why {job_id}")
    assert found["about"] == {"kind": "job", "name": str(job_id)}
