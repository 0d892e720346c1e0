"""GET /jobs by error, by end and by text; POST /jobs/bulk."""

import json
from typing import Any

import pytest

from orpheus.api.routes import listing
from orpheus.shared.domain.hidden import MASK
from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from tests.api.shapes import problem

LATE = "2999-01-01T00:00:00Z"


def fail(api: Any, name: str = "ValueError") -> int:
    job_id: int = api.submit()
    (lease,) = api.lease()
    traceback = 'Traceback\n  File "jobs.py", line 12, in add\n    raise\n'
    error = JobError(name, "it broke", traceback)
    api.store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])
    return job_id


def ids(api: Any, **query: Any) -> list[int]:
    page = api.client.get("/jobs", params=query).json()
    return [job["id"] for job in page["items"]]


def test_jobs_are_listed_by_their_error_and_its_location(api: Any) -> None:
    first, other, last = fail(api), fail(api, "KeyError"), fail(api)
    api.submit()
    (group, _) = api.client.get("/errors").json()["items"]
    query = {"type": group["type"], "error": group["error"], "where": group["where"]}
    assert ids(api, status="failed", sort="ended", **query) == [last, first]
    assert ids(api, error="KeyError") == [other]
    assert ids(api, error="KeyError", where=f"{group['where']} or elsewhere") == []


def test_jobs_are_listed_by_their_ends(api: Any) -> None:
    first = api.submit()
    second = fail(api) if api.run_one() == first else 0
    api.submit()
    assert ids(api, sort="ended") == ids(api, since="1h") == ids(api, until=LATE) == [second, first]
    assert ids(api, since="1h", status="failed") == [second]
    assert ids(api, since=LATE) == ids(api, until="1h") == []
    ended = api.client.get(f"/jobs/{second}").json()["finished_at"]
    assert second in ids(api, since=ended)
    assert second not in ids(api, until=ended)


def test_a_search_that_takes_long_ends_early_and_says_how_far_it_looked(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_S", 0.0)
    api.submit(payload={"s": "needle"})
    api.client.post("/jobs/batch", json={"jobs": [{"type": "add"}] * 600})
    page = api.client.get("/jobs?q=needle").json()
    at = api.client.get("/jobs/102").json()["created_at"]
    assert (page["items"], page["total"]) == ([], {"value": 0, "relation": "gte"})
    assert page["searched"] == {"jobs": 500, "back_to": at}
    found = api.client.get("/jobs", params={"q": "needle", "cursor": page["next_cursor"]}).json()
    assert [job["id"] for job in found["items"]] == [1]
    assert (found["next_cursor"], found["searched"]) == (None, None)


def test_jobs_are_found_by_payload_fields_and_counted_by_status(api: Any) -> None:
    first = api.submit(payload={"s": "x", "customer": {"id": 4711}})
    api.submit(payload={"s": "x", "customer": {"id": "4711"}})
    api.run_one()
    page = api.client.get("/jobs?payload=customer.id%3D4711%20s%3Dx&by_status=true").json()
    assert [job["id"] for job in page["items"]] == [first]
    counted = {name: total["value"] for name, total in page["by_status"].items() if total["value"]}
    assert counted == {"done": 1}
    both = api.client.get("/jobs?payload=s%3Dx&status=done&by_status=true").json()["by_status"]
    assert (both["done"]["value"], both["pending"]["value"]) == (1, 1)
    ended = api.client.get("/jobs?since=1h&by_status=true").json()["by_status"]
    assert set(ended) == {"done", "failed", "cancelled"}
    assert api.client.get("/jobs").json()["by_status"] is None
    change = {"action": "cancel", "filter": {"payload": 'customer.id="4711"'}, "reason": "a test"}
    assert bulk(api, **change, expected_count=1).json() == {"changed": 1}
    (entry,) = api.client.get("/audit").json()["items"]
    assert entry["target"] == 'jobs with payload="customer.id=\\"4711\\""'


def test_a_webhooks_address_is_never_shown(api: Any) -> None:
    headers = {"Authorization": "secret"}
    payload = {"url": "https://chat.example/services/T0/secret", "body": {}, "headers": headers}
    api.store.jobs.submit(NewJob("webhook", payload=json.dumps(payload)))
    shown = api.client.get("/jobs?preview=true").json()["items"][0]["payload"]
    for seen in (json.loads(shown), api.client.get("/jobs/1").json()["payload"]):
        assert seen == {"url": MASK, "body": {}, "headers": {"Authorization": MASK}}
    assert api.client.get("/jobs?q=secret").json()["items"] == []


def test_previews_leave_out_tracebacks(api: Any) -> None:
    fail(api)
    (whole,) = api.client.get("/jobs").json()["items"]
    (shown,) = api.client.get("/jobs?preview=true").json()["items"]
    assert shown["error"] == {**whole["error"], "traceback": None} != whole["error"]


@pytest.mark.parametrize(
    ("query", "pointer", "words"),
    [
        ("where=jobs.py", "/where", "needs error"),
        ("payload=%20", "/payload", "such as customer=4711"),
        ("payload=customer", "/payload", "such as customer=4711"),
        ("since=1h&until=2h", "/until", "later than since"),
        ("status=pending&since=1h", "/status", "has not ended"),
        ("status=in_progress&sort=ended", "/status", "has not ended"),
        ("since=yesterday", "/since", "nor how long ago, such as 15m"),
        ("since=2026-01-31T12:00:00", "/since", "lacks its time zone; end it with Z"),
        ("sort=oldest", "/sort", "newest"),
        ("error=%00", "/error", "NUL"),
    ],
)
def test_a_filter_that_no_job_can_match_is_a_422_in_words(
    api: Any, query: str, pointer: str, words: str
) -> None:
    (error,) = problem(api.client.get(f"/jobs?{query}"), 422)["errors"]
    assert error["pointer"] == pointer
    assert words in error["detail"]


def test_a_cursor_is_one_of_its_order(api: Any) -> None:
    for _ in range(3):
        fail(api)
    cursor = api.client.get("/jobs?limit=1&sort=ended").json()["next_cursor"]
    assert api.client.get("/jobs", params={"cursor": cursor}).status_code == 422
    assert ids(api, sort="ended", cursor=cursor) == [2, 1]


# POST /jobs/bulk


def bulk(api: Any, **body: Any) -> Any:
    return api.client.post("/jobs/bulk", json=body)


def test_jobs_are_counted_first_and_later_ones_left_alone(api: Any) -> None:
    api.client.post("/jobs/batch", json={"jobs": [{"type": "add"}] * 7})
    body = {"action": "cancel", "filter": {"type": "add"}}
    assert bulk(api, **body, dry_run=True).json() == {"changed": 7}
    api.submit()
    assert bulk(api, **body, max_id=7, expected_count=7).json() == {"changed": 7}
    (entry,) = api.client.get("/audit").json()["items"]
    assert entry["count"] == api.store.stats.counts()["cancelled"] == 7
