"""The OpenAPI document describes every call: bodies, answers, headers and refusals."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.openapi.utils import get_openapi

pytestmark = pytest.mark.xdist_group("openapi")  # in one process the document is made once

TOKEN = "a-token-of-more-than-32-characters-0"
WRITES = {
    "POST /jobs", "POST /jobs/batch", "POST /jobs/bulk", "POST /jobs/{job_id}/cancel",
    "POST /jobs/{job_id}/retry", "POST /jobs/{job_id}/run", "DELETE /jobs/{job_id}",
    "POST /queues/{name}/pause", "POST /queues/{name}/resume", "POST /schedules/{name}/run",
    "POST /schedules/{name}/pause", "POST /schedules/{name}/resume",
    "POST /types/{name}/release",
    "POST /concerns/{code}/acknowledge", "POST /concerns/{code}/unacknowledge",
    "POST /workers/{slot}/restart", "POST /workers/{slot}/drain", "POST /pools/{name}/scale",
    "PUT /config", "POST /signals", "PUT /schedules/{name}", "DELETE /schedules/{name}",
}  # fmt: skip
READS = {
    "GET /jobs", "GET /jobs/{job_id}", "GET /jobs/{job_id}/logs", "GET /jobs/{job_id}/events",
    "GET /jobs/{job_id}/why", "GET /jobs/{job_id}/graph", "GET /jobs/{job_id}/steps",
    "GET /audit", "GET /workers", "GET /workers/{slot}/stack", "GET /queues", "GET /schedules",
    "GET /alerts",
    "GET /programs/{slot}/logs",
    "GET /types", "GET /stats", "GET /stats/types", "GET /stats/history", "GET /timeline",
    "GET /errors", "GET /config", "GET /config/versions", "GET /events",
    "GET /healthz", "GET /readyz", "GET /metrics", "GET /session",
}  # fmt: skip
SESSION = {"POST /session", "DELETE /session"}


@pytest.fixture(scope="module")
def made_once() -> list[bytes]:
    """The document as the API answers it, once a test has asked: to make it takes a while."""
    return []


@pytest.fixture
def document(request: pytest.FixtureRequest, made_once: list[bytes]) -> dict[str, Any]:
    if not made_once:
        made_once.append(request.getfixturevalue("api").client.get("/openapi.json").content)
    document: dict[str, Any] = json.loads(made_once[0])
    return document


def calls(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def test_every_call_of_the_contract_is_in_it_and_no_other(document: dict[str, Any]) -> None:
    assert {call for call, _ in calls(document)} == WRITES | READS | SESSION


def test_every_call_says_what_it_does_and_has_a_tag_that_is_described(
    document: dict[str, Any],
) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for call, operation in calls(document):
        assert operation["description"].endswith("."), call
        assert len(operation["tags"]) == 1 and set(operation["tags"]) <= tags, call
    used = {tag for _, operation in calls(document) for tag in operation["tags"]}
    assert used == tags


def test_every_write_tells_of_each_refusal_that_all_may_meet(document: dict[str, Any]) -> None:
    for call, operation in calls(document):
        told = set(operation["responses"])
        if call in WRITES:
            assert told >= {"400", "401", "403", "413", "415", "422", "503", "507"}, call
        elif call != "GET /readyz":
            assert told >= {"400", "401", "503"}, call


def test_every_refusal_is_a_problem_with_its_headers(
    document: dict[str, Any],
) -> None:
    for call, operation in calls(document):
        for status, answer in operation["responses"].items():
            if status < "400" or (call, status) == ("GET /readyz", "503"):
                continue
            told = answer["content"]["application/problem+json"]
            assert told["schema"]["$ref"].endswith("/Problem"), call
            needed = {"401": "WWW-Authenticate", "503": "Retry-After", "507": "Retry-After"}
            if status in needed:
                assert needed[status] in answer["headers"], (call, status)


def test_with_a_token_it_tells_how_to_show_it_and_where_none_is_needed(
    start: Callable[..., Any],
) -> None:
    api = start(token=TOKEN)
    assert api.client.get("/openapi.json").status_code == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    document = api.client.get("/openapi.json", headers=headers).json()
    assert document["security"] == [{"token": []}, {"session": []}]
    schemes = document["components"]["securitySchemes"]
    assert schemes["token"] == {**schemes["token"], "type": "http", "scheme": "bearer"}
    cookie = api.client.post("/session", json={"token": TOKEN}).headers["Set-Cookie"]
    assert cookie.startswith(schemes["session"]["name"] + "=")
    is_open = {call for call, operation in calls(document) if operation.get("security") == []}
    assert is_open == {"GET /healthz", "GET /readyz", "POST /session"}
    for call in is_open - {"POST /session"}:
        assert api.client.get(call.partition(" ")[2]).status_code != 401


@pytest.mark.parametrize("path", ["/jobs/batch", "/jobs/bulk"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_a_call_is_no_job_of_that_id(api: Any, path: str, method: str) -> None:
    answer = api.client.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/jobs", "/config", "/jobs/7"])
def test_a_wrong_method_is_told_the_right_ones(
    api: Any, document: dict[str, Any], path: str
) -> None:
    answer = api.client.patch(path)
    told = document["paths"][path.replace("7", "{job_id}")]
    assert answer.status_code == 405
    assert answer.headers["Allow"] == ", ".join(sorted(method.upper() for method in told))


def test_the_document_is_not_made_on_the_event_loop(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by: list[str] = []

    def noted(**parts: Any) -> Any:
        made_by.append(threading.current_thread().name)
        return get_openapi(**parts)

    monkeypatch.setattr("orpheus.api.contract.openapi.get_openapi", noted)
    loop_thread = api._thread.name
    with ThreadPoolExecutor(4) as pool:
        documents = list(pool.map(lambda _: api.client.get("/openapi.json").content, range(8)))
    assert len(set(documents)) == 1
    assert len(made_by) == 1 and made_by[0] != loop_thread
