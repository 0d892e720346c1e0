"""What an operator does to jobs, one or many, and the trail it leaves."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, NewLine
from orpheus.shared.storage.verbs.bulk import Bulk
from orpheus.shared.storage.verbs.jobs import Jobs
from tests.audit_log import entries_of
from tests.machine import PATIENCE_S


@pytest.fixture
def log_of_250(api: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """A job that has ended and has written 250 lines; they are deleted 100 at a time."""
    monkeypatch.setattr("orpheus.shared.storage.verbs.jobs._LINES_AT_ONCE", 100)
    job_id: int = api.submit()
    (lease,) = api.lease()
    lines = [NewLine(1, "info", "said", "{}")] * 250
    api.store.logs.append(job_id, lease.token, lease.attempt, lines)
    api.finish(lease)
    return job_id


def test_cancelling_a_waiting_job_is_done_at_once(api: Any) -> None:
    job_id = api.submit()
    answer = api.client.post(f"/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert api.lease() == []


def test_cancelling_a_leased_job_asks_its_worker(api: Any) -> None:
    job_id = api.submit()
    api.lease()
    answer = api.client.post(f"/jobs/{job_id}/cancel")

    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["cancel_requested"]) == ("in_progress", True)


def test_a_delayed_job_is_run_now(api: Any) -> None:
    job_id = api.submit(delay="1h")
    assert api.lease() == []
    answer = api.client.post(f"/jobs/{job_id}/run")

    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert api.run_one() == job_id
    assert api.client.post(f"/jobs/{job_id}/run").status_code == 409


def test_a_job_that_has_ended_is_deleted(api: Any) -> None:
    job_id = api.submit()
    assert api.client.delete(f"/jobs/{job_id}").status_code == 409
    api.run_one()
    answer = api.client.delete(f"/jobs/{job_id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert api.client.get(f"/jobs/{job_id}").status_code == 404
    assert api.client.delete(f"/jobs/{job_id}").status_code == 404


def test_a_long_log_is_deleted_before_its_job_and_beside_the_writer(
    api: Any, log_of_250: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each small transaction would keep those waiting that share the writer's."""
    shorten, left = Jobs.shorten_log, []

    def shorten_log(*args: Any) -> bool:
        left.append(
            (len(api.store.logs.after(log_of_250, 0, 1_000)), threading.current_thread().name)
        )
        return shorten(*args)

    monkeypatch.setattr(Jobs, "shorten_log", shorten_log)
    assert api.client.delete(f"/jobs/{log_of_250}").status_code == 204
    assert left == [(250, "long-call"), (150, "long-call"), (50, "long-call")]
    assert api.client.get(f"/jobs/{log_of_250}").status_code == 404
    assert [entry.action for entry in entries_of(api.store, 5)] == ["delete"]


# Many jobs


def bulk(api: Any, action: str, filter: dict[str, Any], **fields: Any) -> Any:
    return api.client.post("/jobs/bulk", json={"action": action, "filter": filter, **fields})


def test_what_was_seen_and_counted_is_changed(api: Any) -> None:
    seen = [api.submit(queue="mail") for _ in range(3)]
    api.submit()
    newer = api.submit(queue="mail")
    answer = bulk(api, "cancel", {"queue": "mail"}, max_id=seen[-1], expected_count=3)

    assert (answer.status_code, answer.json()) == (200, {"changed": 3})
    assert api.store.stats.counts()["cancelled"] == 3
    assert api.client.get(f"/jobs/{newer}").json()["status"] == "pending"


def test_another_count_than_expected_is_a_409_and_changes_nothing(api: Any) -> None:
    api.submit()
    answer = bulk(api, "cancel", {}, expected_count=2)

    assert answer.status_code == 409
    assert "1 jobs match now, 2 were expected" in answer.json()["detail"]
    assert api.store.stats.counts()["pending"] == 1
    assert api.client.get("/audit").json()["items"] == []


def test_a_dry_run_only_counts(api: Any) -> None:
    api.submit()
    answer = bulk(api, "cancel", {}, dry_run=True, expected_count=7)

    assert (answer.status_code, answer.json()) == (200, {"changed": 1})
    assert api.store.stats.counts()["pending"] == 1
    assert api.client.get("/audit").json()["items"] == []


@pytest.mark.parametrize("filter", [{}, {"status": None, "q": None}], ids=str)
def test_every_job_is_changed_only_by_who_has_counted_them(
    api: Any, filter: dict[str, Any]
) -> None:
    job_id = api.submit()
    answer = bulk(api, "cancel", filter, max_id=job_id)

    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["pointer"] == "/expected_count" and "dry_run" in problem["detail"]
    assert api.store.stats.counts()["pending"] == 1
    counted = bulk(api, "cancel", filter, dry_run=True).json()["changed"]
    assert bulk(api, "cancel", filter, expected_count=counted).json() == {"changed": 1}


def test_a_bulk_action_ends_between_two_transactions_when_the_api_stops(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.database.long_calls._GRACE_S", 0.0)
    api.store.jobs.submit_many([NewJob("add")] * 600)
    step, began = Bulk._step, threading.Event()

    def step_and_stop(*args: Any) -> None:
        step(*args)
        began.set()
        assert api.services.long_calls.stopping.wait(PATIENCE_S)

    monkeypatch.setattr(Bulk, "_step", step_and_stop)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(bulk, api, "cancel", {"type": "add"})
        assert began.wait(PATIENCE_S)
        api.call(api._server.stop)
        refused = answer.result(PATIENCE_S)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "has changed 256 of the jobs" in refused.json()["detail"]
    assert api.store.stats.counts()["cancelled"] == 256
    assert [entry.count for entry in entries_of(api.store, 5)] == [256]


# The trail


def test_every_action_is_in_the_trail_with_who_and_why(api: Any) -> None:
    job_id = api.submit(delay=60)
    why = {"reason": "an «incident»"}
    api.client.post(f"/jobs/{job_id}/run", json=why)
    api.client.post(f"/jobs/{job_id}/cancel", json={})
    api.client.post(f"/jobs/{job_id}/retry", json={"reason": None})
    bulk(api, "cancel", {"type": "add"}, **why)
    api.client.request("DELETE", f"/jobs/{job_id}", json=why)

    entries = api.client.get("/audit").json()["items"]
    assert [(e["action"], e["target"], e["reason"], e["count"]) for e in entries[::-1]] == [
        ("run", f"job {job_id}", "an «incident»", 1),
        ("cancel", f"job {job_id}", None, 1),
        ("retry", f"job {job_id}", None, 1),
        ("cancel", "jobs with type=add", "an «incident»", 1),
        ("delete", f"job {job_id}", "an «incident»", 1),
    ]
    assert {e["by"] for e in entries} == {"api:127.0.0.1"}
    assert all(e["at"].endswith("Z") for e in entries)
