"""The names that the contract fixes, for what no other test names."""

import re
from typing import Any

import pytest

from orpheus.shared.domain.events import Kind

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z")


def words_of(text: str) -> set[str]:
    return set(text.split())


STATUSES = {"blocked", "pending", "in_progress", "done", "failed", "cancelled"}
JOB = words_of("""
    id type payload status queue priority result error attempt max_retries timeout progress
    message on_dependency_failure created_at run_at freed_at started_at finished_at ran_until
    worker unique_key concurrency_key depends_on tags cancel_requested
    scheduled_at expires_at unique_until retention
""")
ATTEMPT = words_of("""
    number outcome worker pid started_at finished_at error cpu_s max_rss_bytes
""")
WORKER = words_of("""
    slot pool state degraded reason pid incarnation job heartbeat_age_s cpu_percent rss_bytes
    uptime_s jobs_done restarts last_exit
""")
QUEUE = words_of("""
    name paused counts due oldest_due_s in_per_minute out_per_minute limits pools reason
    empty_in_s empty_in_s_with
""")
KINDS = words_of("""
    job.enqueued job.started job.retrying job.snoozed job.released job.reclaimed job.done
    job.failed job.cancelled job.unblocked job.cancel_requested job.requeued job.deleted
    job.progress worker.started worker.ready worker.exited worker.hung worker.fatal
    config.reloaded config.rejected queue.paused queue.resumed schedule.fired type.quarantined
    type.released supervisor.started supervisor.stopping
""")
EMPTY_LISTS = ["/workers", "/queues", "/schedules"]


def test_a_job_has_these_fields_and_no_others(api: Any) -> None:
    job_id = api.submit()
    api.run_one()
    job = api.client.get(f"/jobs/{job_id}").json()
    assert set(job) == JOB | {"attempts"}
    assert [set(attempt) for attempt in job["attempts"]] == [ATTEMPT]
    (listed,) = api.client.get("/jobs").json()["items"]
    assert set(listed) == JOB


def test_times_are_rfc_3339_in_utc_with_milliseconds_or_more(api: Any) -> None:
    job_id = api.submit(depends_on=[api.submit()], expires="1h")
    api.run_one()
    api.run_one()
    job = api.client.get(f"/jobs/{job_id}").json()
    times = [job[name] for name in job if name.endswith("_at") and name != "scheduled_at"]
    times += [job["attempts"][0][name] for name in ("started_at", "finished_at")]
    times += [one["at"] for one in api.client.get(f"/jobs/{job_id}/events").json()["items"]]
    assert len(times) > 8
    assert [time for time in times if not TIME.fullmatch(time)] == []


def test_a_worker_and_a_queue_have_these_fields(api: Any) -> None:
    api.process("default@101")
    api.submit()
    (worker,) = api.client.get("/workers").json()["items"]
    assert set(worker) >= WORKER
    (queue,) = api.client.get("/queues").json()["items"]
    assert set(queue) == QUEUE
    assert set(queue["counts"]) == set(api.client.get("/stats").json()["counts"]) == STATUSES


@pytest.mark.parametrize("path", EMPTY_LISTS)
def test_a_list_of_nothing_is_an_empty_list(api: Any, path: str) -> None:
    assert api.client.get(path).json() == {"items": []}


@pytest.mark.parametrize(
    ("field", "value", "is_taken"),
    [
        *[("priority", n, abs(n) <= 1000) for n in (-1001, -1000, 1000, 1001)],
        *[("max_retries", n, 0 <= n <= 100) for n in (-1, 0, 100, 101)],
        *[("delay", d, True) for d in (0, "500ms", "365d", 31_536_000)],
        *[("delay", d, False) for d in (-1, "366d", 31_536_001, "1w", "", "5 s x", True)],
        *[("timeout", d, True) for d in (0.5, "15m", "2h")],
        *[("timeout", d, False) for d in (0, "0s", -1, "366d")],
        *[("queue", n, True) for n in ("a", "A.b_c-9", "x" * 64)],
        *[("queue", n, False) for n in ("", "-a", ".a", "x" * 65, "a b", "ä")],
        ("tags", ["a", "B-2"], True),
        ("tags", ["a b"], False),
        ("on_dependency_failure", "perhaps", False),
    ],
)
def test_a_field_is_taken_within_its_bounds(
    api: Any, field: str, value: Any, is_taken: bool
) -> None:
    answer = api.client.post("/jobs", json={"type": "add", field: value})
    assert answer.status_code == (201 if is_taken else 422), answer.text
    if not is_taken:
        assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}")


def test_a_payload_defaults_to_nothing_and_a_queue_exists_from_its_first_job(api: Any) -> None:
    job = api.client.post("/jobs", json={"type": "add", "queue": "new"}).json()
    assert (job["payload"], job["queue"], job["priority"], job["tags"]) == ({}, "new", 0, [])
    assert [queue["name"] for queue in api.client.get("/queues").json()["items"]] == ["new"]


@pytest.mark.parametrize(("limit", "status"), [(1, 200), (500, 200), (501, 422), (0, 422)])
def test_a_page_has_up_to_500(api: Any, limit: int, status: int) -> None:
    for path in ("/jobs", "/audit"):
        assert api.client.get(f"{path}?limit={limit}").status_code == status


def test_a_transition_that_is_not_allowed_is_a_409_for_every_verb(api: Any) -> None:
    pending = api.submit()
    done = api.submit(priority=5)
    api.run_one()
    refused = [("POST", pending, "/retry"), ("DELETE", pending, "")]
    refused += [("POST", done, f"/{verb}") for verb in ("cancel", "retry", "run")]
    for method, job_id, verb in refused:
        answer = api.client.request(method, f"/jobs/{job_id}{verb}")
        assert answer.status_code == 409, (method, verb)
    assert api.client.delete(f"/jobs/{done}").status_code == 204
    assert api.client.get(f"/jobs/{done}").status_code == 404


def test_the_kinds_of_events_are_these() -> None:
    assert {kind.value for kind in Kind} | {"job.progress"} == KINDS
