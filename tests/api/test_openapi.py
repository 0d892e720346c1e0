"""The OpenAPI document tells of every call: bodies, answers, headers, refusals, with examples."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from orpheus.api.contract import requests

pytestmark = pytest.mark.xdist_group("openapi")  # in one process the document is made once

TOKEN = "a-token-of-more-than-32-characters-0"
WRITES = {
    "POST /jobs", "POST /jobs/batch", "POST /jobs/bulk", "POST /jobs/{job_id}/cancel",
    "POST /jobs/{job_id}/retry", "POST /jobs/{job_id}/run", "DELETE /jobs/{job_id}",
    "POST /queues/{name}/pause", "POST /queues/{name}/resume", "POST /schedules/{name}/run",
    "POST /schedules/{name}/pause", "POST /schedules/{name}/resume",
    "POST /types/{name}/release",
    "POST /workers/{slot}/restart", "POST /workers/{slot}/drain", "POST /pools/{name}/scale",
    "PUT /config",
}  # fmt: skip
READS = {
    "GET /jobs", "GET /jobs/{job_id}", "GET /jobs/{job_id}/logs", "GET /jobs/{job_id}/events",
    "GET /jobs/{job_id}/why", "GET /jobs/{job_id}/graph",
    "GET /audit", "GET /workers", "GET /workers/{slot}/stack", "GET /queues", "GET /schedules",
    "GET /alerts",
    "GET /programs/{slot}/logs",
    "GET /types", "GET /stats", "GET /stats/types",
    "GET /errors", "GET /config", "GET /config/versions", "GET /events",
    "GET /healthz", "GET /readyz", "GET /metrics", "GET /session",
}  # fmt: skip
SESSION = {"POST /session", "DELETE /session"}
BODIES: dict[str, type[BaseModel]] = {
    "POST /jobs": requests.SubmitJob,
    "POST /jobs/batch": requests.SubmitBatch,
    "POST /jobs/bulk": requests.BulkChange,
    "POST /pools/{name}/scale": requests.Scale,
    "PUT /config": requests.EditConfiguration,
    "POST /session": requests.Login,
}


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


def test_every_refusal_is_a_problem_with_an_example_and_its_headers(
    document: dict[str, Any],
) -> None:
    for call, operation in calls(document):
        for status, answer in operation["responses"].items():
            if status < "400" or (call, status) == ("GET /readyz", "503"):
                continue
            told = answer["content"]["application/problem+json"]
            assert told["example"]["status"] == int(status), call
            assert told["schema"]["$ref"].endswith("/Problem"), call
            needed = {"401": "WWW-Authenticate", "503": "Retry-After", "507": "Retry-After"}
            if status in needed:
                assert needed[status] in answer["headers"], (call, status)


def test_every_example_is_what_its_schema_says(document: dict[str, Any]) -> None:
    shown = 0
    for call, operation in calls(document):
        parts = list(operation["responses"].items())
        parts += [("request", operation["requestBody"])] if "requestBody" in operation else []
        for status, part in parts:
            for kind, told in part.get("content", {}).items():
                if kind.startswith("text/"):
                    continue
                assert "example" in told, (call, status)
                schema = {**told["schema"], "components": document["components"]}
                jsonschema_rs.validate(schema, told["example"])
                shown += 1
    assert shown > 150


@pytest.mark.parametrize("call", BODIES)
def test_every_example_of_a_body_is_one_that_is_taken(document: dict[str, Any], call: str) -> None:
    operation = dict(calls(document))[call]
    body = operation["requestBody"]["content"]["application/json"]
    assert body["schema"]["$ref"].endswith(f"/{BODIES[call].__name__}")
    BODIES[call].model_validate(body["example"])


def test_the_headers_of_answers_are_told(document: dict[str, Any]) -> None:
    found = {
        (call, status, name)
        for call, operation in calls(document)
        for status, answer in operation["responses"].items()
        for name in answer.get("headers", ())
        if status < "400"
    }
    assert found == {
        ("POST /jobs", "201", "Location"),
        ("POST /jobs", "200", "Location"),
        ("POST /jobs", "201", "Idempotent-Replayed"),
        ("POST /jobs", "200", "Idempotent-Replayed"),
        ("POST /jobs/batch", "201", "Idempotent-Replayed"),
        ("POST /schedules/{name}/run", "201", "Location"),
        ("GET /config", "200", "ETag"),
        ("PUT /config", "200", "ETag"),
    }


def test_without_a_token_none_is_told_of(document: dict[str, Any]) -> None:
    assert "security" not in document
    assert "securitySchemes" not in document["components"]


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


def test_a_query_has_no_null_and_says_where_a_field_may_be_empty(
    document: dict[str, Any],
) -> None:
    for call, operation in calls(document):
        for parameter in operation.get("parameters", ()):
            assert '"null"' not in str(parameter["schema"]).replace("'", '"'), call
    status = next(
        parameter
        for parameter in document["paths"]["/jobs"]["get"]["parameters"]
        if parameter["name"] == "status"
    )
    assert status["allowEmptyValue"] is True


def test_the_readmes_and_the_documents_paths_are_the_same(document: dict[str, Any]) -> None:
    """Whoever reads of a call can find it: `/docs` has all that the source's docstrings name."""
    named = set()
    for file in (Path(__file__).parents[2] / "api").rglob("*.py"):
        named |= set(re.findall(r"(?:GET|POST|PUT) (/[a-z]+)\b", file.read_text(encoding="utf-8")))
    paths = {re.match(r"/[a-z]+", path)[0] for path in document["paths"]}  # type: ignore[index]
    assert named <= paths | {"/ws", "/docs"}


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


@pytest.mark.parametrize(
    ("wait", "status"),
    [("1e-3", 200), ("1E-295", 200), ("0.001", 200), ("5ms", 200), ("1e400", 422), ("-1", 422)],
)
def test_a_number_in_a_query_is_written_as_in_json(api: Any, wait: str, status: int) -> None:
    assert api.client.get(f"/jobs/{api.submit()}?wait={wait}").status_code == status


def test_8_0_is_an_integer_as_json_schema_has_it_and_8_5_is_none(api: Any) -> None:
    body = {"type": "add", "priority": 8.0, "max_retries": 2.0, "depends_on": [1.0]}
    api.submit()
    answer = api.client.post("/jobs", json=body)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["priority"], answer.json()["depends_on"]) == (8, [1])
    refused = api.client.post("/jobs", json={"type": "add", "priority": 8.5})
    assert refused.status_code == 422


def test_every_duration_that_is_taken_fits_the_document(api: Any, document: dict[str, Any]) -> None:
    model = document["components"]["schemas"]["SubmitJob"]
    for written in ("500ms", "30s", "15m", "2h", "7d", "365d", "1.5h", "90"):
        body = {"type": "add", "delay": written, "timeout": written}
        assert api.client.post("/jobs", json=body).status_code == 201, written
        for field in ("delay", "timeout"):
            jsonschema_rs.validate(model["properties"][field], written)


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
