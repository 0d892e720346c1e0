"""`GET /jobs/{id}/why`."""

from typing import Any

import pytest

from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.messages.queues import Why
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


def test_every_reason_is_told_with_who_and_until_when(crew: Any) -> None:
    crew.client.post("/queues/mail/pause", json={"reason": "the mail server is down"})
    job = crew.client.post("/jobs", json={"type": "add", "queue": "mail", "delay": "1h"}).json()
    time, pause = why(crew, job["id"])["reasons"]
    assert (time["code"], time["until"]) == ("run_at", job["run_at"])
    assert (pause["code"], pause["by"]) == ("queue_paused", "api:127.0.0.1")
    assert pause["text"].endswith("the mail server is down")


@pytest.mark.parametrize("job_id", ["7", "no-number", "99999999999999999999"])
def test_an_unknown_job_is_not_found(api: Any, job_id: str) -> None:
    problem(api.client.get(f"/jobs/{job_id}/why"), 404)
