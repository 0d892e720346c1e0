"""A quarantined job type over HTTP: what is seen of it, and its release."""

from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder
from orpheus.shared.process.crash_cell import CellState

AFTER = 2


@pytest.fixture
def api(api: Any) -> Any:
    """With a type whose jobs have killed two workers; a third job of it waits."""
    api.store.quarantines.after = AFTER
    for n in range(AFTER):
        api.submit(max_retries=0)
        holder = Holder("default-1", f"life-{n}", n)
        (lease,) = api.store.leases.lease(holder, ("*",), 1, 30_000)
        cell = CellState(lease.token, running=True)
        api.store.leases.free(holder.incarnation, cell, evidence="killed by SIGSEGV")
    return api


def type_named(api: Any, name: str) -> Any:
    items = api.client.get("/types").json()["items"]
    return next(one for one in items if one["name"] == name)


def test_types_have_the_evidence(api: Any) -> None:
    quarantine = type_named(api, "add")["quarantine"]
    assert [one["job"] for one in quarantine["crashes"]] == [1, 2]
    assert quarantine["crashes"][0]["evidence"] == "killed by SIGSEGV"
    assert quarantine["text"].startswith("after crashing 2 workers in a row")


def test_its_jobs_are_accepted_and_wait_and_say_why(api: Any) -> None:
    answer = api.client.post("/jobs", json={"type": "add", "payload": {"a": 1, "b": 2}})
    assert answer.status_code == 201
    job_id = answer.json()["id"]
    assert api.lease() == []
    assert api.client.post(f"/jobs/{job_id}/run").status_code == 200
    assert api.lease() == []
    reasons = api.client.get(f"/jobs/{job_id}/why").json()["reasons"]
    assert [one["by"] for one in reasons if one["code"] == "quarantined"] == ["type add"]


def test_a_release_runs_them_again_and_stands_in_the_audit_log(api: Any) -> None:
    job_id = api.submit()
    assert api.lease() == []
    answer = api.client.post("/types/add/release", json={"reason": "a newer libpng"})
    assert (answer.status_code, answer.json()) == (200, {"name": "add", "quarantine": None})
    assert type_named(api, "add")["quarantine"] is None
    assert [one.job_id for one in api.lease()] == [job_id]
    entry = api.client.get("/audit").json()["items"][0]
    assert (entry["action"], entry["target"]) == ("release", "type add")
    assert entry["reason"] == "a newer libpng"


def test_only_what_is_quarantined_is_released(api: Any) -> None:
    assert api.client.post("/types/nothing/release").status_code == 404
    api.client.post("/types/add/release")
    problem = api.client.post("/types/add/release")
    assert (problem.status_code, problem.json()["detail"]) == (
        409,
        "job type add is not quarantined",
    )
