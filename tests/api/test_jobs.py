"""Submitting, listing and reading jobs."""

import asyncio
import socket
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewLine
from tests.api.raw_http import read_all, sockets
from tests.machine import wait_until

WAIT = b"GET /jobs/%d?wait=60 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def test_a_job_is_answered_whole_with_its_location(api: Any) -> None:
    answer = api.client.post("/jobs", json={"type": "add", "payload": {"n": 1}, "tags": ["a", "b"]})

    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert (job["status"], job["queue"], job["priority"], job["attempt"]) == (
        "pending",
        "default",
        0,
        0,
    )
    assert (job["max_retries"], job["timeout"], job["tags"]) == (3, 900.0, ["a", "b"])
    assert api.client.get(answer.headers["Location"]).json() == {**job, "attempts": []}


def test_a_live_job_with_the_same_unique_key_is_answered_instead(api: Any) -> None:
    first = api.client.post("/jobs", json={"type": "add", "unique_key": "k"})
    second = api.client.post("/jobs", json={"type": "add", "unique_key": "k"})
    api.run_one()
    third = api.client.post("/jobs", json={"type": "add", "unique_key": "k"})

    assert (first.status_code, second.status_code, third.status_code) == (201, 200, 201)
    assert first.json()["id"] == second.json()["id"] != third.json()["id"]
    other = {"type": "strict", "payload": {"n": 1}, "unique_key": "k"}
    detail = f"'k' is held by job {third.json()['id']}, which is of another type: add"
    for path, body, pointer in (
        ("/jobs", other, "/unique_key"),
        ("/jobs/batch", {"jobs": [{"type": "add"}, other]}, "/jobs/1/unique_key"),
    ):
        refused = api.client.post(path, json=body)
        assert refused.status_code == 409
        assert refused.json()["errors"] == [{"pointer": pointer, "detail": detail}]
        assert refused.json()["detail"] == f"{pointer[1:].replace('/', '.')}: {detail}"
    assert api.client.get("/jobs").json()["total"]["value"] == 2, "the batch changed nothing"


def test_big_integers_and_key_order_come_back_as_they_were_sent(api: Any) -> None:
    payload = '{"z":9007199254740993,"a":18446744073709551615,"b":-9223372036854775808}'
    answer = api.client.post(
        "/jobs",
        content=f'{{"type":"add","payload":{payload}}}',
        headers={"Content-Type": "application/json"},
    )
    (lease,) = api.lease()
    api.finish(lease, result='{"sum":340282366920938463463374607431768211456}')

    text = api.client.get(f"/jobs/{answer.json()['id']}").text
    assert lease.payload == payload
    assert f'"payload":{payload}' in text
    assert '"result":{"sum":340282366920938463463374607431768211456}' in text


def test_the_list_is_newest_first_and_its_pages_neither_skip_nor_repeat(api: Any) -> None:
    ids = [api.submit() for _ in range(7)]
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = api.client.get(
            "/jobs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}
        )
        seen += [job["id"] for job in page.json()["items"]]
        if not seen[3:]:
            api.submit()  # what comes while one reads on does not move the pages
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break

    assert seen == ids[::-1]


def test_a_page_of_large_jobs_ends_early_and_the_next_goes_on(api: Any) -> None:
    text = "é" * 450_000
    for _ in range(3):
        batch = {"jobs": [{"type": "add", "payload": {"text": text}}] * 7}
        assert api.client.post("/jobs/batch", json=batch).status_code == 201
    seen: list[int] = []
    pages, cursor = 0, ""
    while cursor is not None:
        answer = api.client.get("/jobs", params={"limit": 500, "cursor": cursor})
        assert len(answer.content) < 8 * 1024 * 1024
        page = answer.json()
        seen += [job["id"] for job in page["items"]]
        assert {job["payload"]["text"] for job in page["items"]} == {text}
        assert page["total"] == {"value": 21, "relation": "eq"}
        pages, cursor = pages + 1, page["next_cursor"]
    assert (seen, pages) == (list(range(21, 0, -1)), 3)


def test_a_preview_cuts_payload_and_result_and_nothing_else(api: Any) -> None:
    api.submit(payload={"text": "é" * 300})
    api.run_one()
    api.submit(payload={"n": 1}, tags=["a"])

    short, long = api.client.get("/jobs", params={"preview": True}).json()["items"]
    assert (short["payload"], short["result"]) == ('{"n":1}', None)
    assert long["payload"] == '{"text":"' + "é" * 191
    assert long["result"] == "null"
    whole = api.client.get("/jobs").json()["items"]
    for job, preview in zip(whole, (short, long), strict=True):
        cut = {"payload": preview["payload"], "result": preview["result"]}
        assert {**job, **cut} == preview


def test_a_job_shows_its_attempts_oldest_first(api: Any) -> None:
    job_id = api.submit()
    api.run_one()

    job = api.client.get(f"/jobs/{job_id}").json()
    (attempt,) = job["attempts"]
    assert (job["status"], job["attempt"], job["worker"]) == ("done", 1, "default-1")
    assert (attempt["number"], attempt["outcome"], attempt["pid"]) == (1, "succeeded", 101)


@pytest.mark.parametrize("id", ["1", "abc", "-1", "1.5", "0x1", "9" * 19, "9" * 40, "%00", "１"])
@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("GET", "/logs"),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("POST", "/run"),
        ("DELETE", ""),
    ],
)
def test_an_unknown_id_is_a_404_problem(shared_api: Any, id: str, method: str, rest: str) -> None:
    answer = shared_api.client.request(method, f"/jobs/{id}{rest}")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_the_log_is_read_on_from_a_line(api: Any) -> None:

    job_id = api.submit()
    (lease,) = api.lease()
    lines = [NewLine(1_800_000_000_000 + n, "info", f"line {n}", '{"n":1}') for n in range(5)]
    api.store.logs.append(job_id, lease.token, 1, lines)

    first = api.client.get(f"/jobs/{job_id}/logs?limit=2").json()["items"]
    rest = api.client.get(f"/jobs/{job_id}/logs?after={first[-1]['id']}").json()["items"]
    assert [line["line"] for line in first + rest] == [f"line {n}" for n in range(5)]
    assert first[0]["at"] == "2027-01-15T08:00:00.000000Z"
    assert first[0]["fields"] == {"n": 1}


def test_the_events_of_a_job_tell_its_story(api: Any) -> None:
    job_id = api.submit(payload={"text": "secret"})
    api.submit()
    api.run_one()

    events = api.client.get(f"/jobs/{job_id}/events").json()["items"]
    assert [e["kind"] for e in events] == ["job.enqueued", "job.started", "job.done"]
    assert [e["job"]["status"] for e in events] == ["pending", "in_progress", "done"]
    assert all("payload" not in e["job"] and "result" not in e["job"] for e in events)
    assert events[0]["job"]["timeout"] == 900.0
    assert events[0]["job"]["created_at"].endswith("Z")


@pytest.fixture
def few_reads(api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application, in which fewer reads may wait than clients do in these tests."""
    monkeypatch.setattr(api.services.readers, "_bound", 8)
    monkeypatch.setattr(api.services.broadcaster, "_reads", asyncio.Semaphore(4))
    return api


def waiters(api: Any, job_id: int) -> int:
    return len(api.services.broadcaster._waiters.get(job_id, ()))


def send_waits(api: Any, job_id: int, clients: list[socket.socket]) -> None:
    """Let each of them wait for the job's end."""
    for client in clients:
        client.sendall(WAIT % job_id)

    def all_wait() -> bool:
        is_idle = not api.services.readers._unanswered
        return is_idle and waiters(api, job_id) == len(clients)

    wait_until(all_wait, "all to wait")


def test_wait_answers_all_when_the_job_ends_and_forgets_who_left_before(few_reads: Any) -> None:
    job_id = few_reads.submit()
    with sockets(few_reads, 40) as clients:
        send_waits(few_reads, job_id, clients)
        for one in clients[20:]:
            one.close()
        wait_until(lambda: waiters(few_reads, job_id) == 20, "those that left to be forgotten")
        few_reads.run_one()
        answers = [read_all(one) for one in clients[:20]]

    assert {answer.split(b" ", 2)[1] for answer in answers} == {b"200"}
    assert all(b'"status":"done"' in answer for answer in answers)


def test_wait_ends_for_all_when_the_server_stops(few_reads: Any) -> None:
    job_id = few_reads.submit()
    with sockets(few_reads, 20) as clients:
        send_waits(few_reads, job_id, clients)
        few_reads.call(few_reads._server.stop)
        answers = [read_all(one) for one in clients]

    assert all(b'"status":"pending"' in answer for answer in answers)


def test_a_wait_ends_at_the_longest_one_whatever_was_asked_for(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.routes.jobs.LONGEST_WAIT_S", 0.1)

    assert api.client.get(f"/jobs/{api.submit()}?wait=1d").json()["status"] == "pending"


def test_a_filter_that_is_left_empty_is_not_given(api: Any) -> None:
    job_id = api.submit()

    page = api.client.get("/jobs?status=&type=add&queue=&tag=&q=&limit=&cursor=").json()
    assert [job["id"] for job in page["items"]] == [job_id]
