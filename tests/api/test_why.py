"""`GET /jobs/{id}/why`."""

import os
from typing import Any

import pytest

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.messages.queues import Why
from orpheus.shared.process.clock import create_time_s
from tests.api.shapes import checked, problem


def why(api: Any, job_id: int) -> dict[str, Any]:
    answer = api.client.get(f"/jobs/{job_id}/why")
    assert answer.status_code == 200
    checked(Why, answer.text)
    found: dict[str, Any] = answer.json()
    return found


def codes(api: Any, job_id: int) -> list[str]:
    return [one["code"] for one in why(api, job_id)["reasons"]]


@pytest.fixture
def crew(api: Any) -> Any:
    """An API beside one ready worker."""
    api.process("supervisor", role=Role.SUPERVISOR)
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY, incarnation="life-1")])
    api.process("default-1", incarnation="life-1")
    return api


def test_a_job_that_a_free_worker_leases_next_has_no_reason(crew: Any) -> None:
    assert why(crew, crew.submit()) == {"runs": True, "reasons": []}


def test_without_a_worker_its_slots_are_told(api: Any) -> None:
    job = api.submit()
    assert codes(api, job) == ["no_worker"]
    api.process("supervisor", role=Role.SUPERVISOR)
    api.store.processes.put_slots([api.slot("default-1", SlotState.FATAL, reason="it crashed 6x")])
    (reason,) = why(api, job)["reasons"]
    assert reason["text"].endswith("default-1 is fatal: it crashed 6x")


def test_every_reason_is_told_with_who_and_until_when(crew: Any) -> None:
    crew.client.post("/queues/mail/pause", json={"reason": "the mail server is down"})
    job = crew.client.post("/jobs", json={"type": "add", "queue": "mail", "delay": "1h"}).json()
    time, pause = why(crew, job["id"])["reasons"]
    assert (time["code"], time["until"]) == ("run_at", job["run_at"])
    assert (pause["code"], pause["by"]) == ("queue_paused", "api:127.0.0.1")
    assert pause["text"].endswith("the mail server is down")


def test_a_job_that_has_ended_says_so(crew: Any) -> None:
    job = crew.submit()
    crew.run_one()
    assert codes(crew, job) == ["ended"]


@pytest.mark.parametrize("job_id", ["7", "no-number", "99999999999999999999"])
def test_an_unknown_job_is_not_found(api: Any, job_id: str) -> None:
    problem(api.client.get(f"/jobs/{job_id}/why"), 404)


def test_a_job_of_a_process_that_is_gone_does_not_run(crew: Any) -> None:
    job = crew.submit()
    crew.lease()
    crew.store.processes.put_slots([crew.slot("default-1", SlotState.STARTING, incarnation="next")])
    assert why(crew, job)["runs"], "its slot has replaced it: it finishes what it began"
    crew.store.processes.forget("life-1")
    (reason,) = why(crew, job)["reasons"]
    assert reason["code"] == "worker_gone"
    assert reason["text"] == "its worker default-1 is gone, and the job is not taken back yet"


def test_a_job_of_a_worker_that_runs_alone_and_holds_its_interpreter_is_not_called_dead(
    crew: Any,
) -> None:
    """Without a supervisor nobody takes it for dead: it is seen to run, on its own host."""
    job = crew.submit()
    crew.lease()
    silent_ms = crew.store.clock.monotonic_ms() - 60_000
    crew.store.processes.forget("life-of-supervisor")
    crew.store.processes.put_slots([])
    alive = {"pid": os.getpid(), "create_time_s": create_time_s(os.getpid())}
    crew.process("default-1", incarnation="life-1", last_beat_mono_ms=silent_ms, **alive)
    assert why(crew, job)["runs"]
    crew.process("default-1", incarnation="life-1", last_beat_mono_ms=silent_ms)
    (reason,) = why(crew, job)["reasons"]
    assert reason["code"] == "worker_gone"
