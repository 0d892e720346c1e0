"""What is refused before a route is reached, and what fails on the way: each with its problem."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.raw_http import raw
from tests.api.shapes import problem

JSON = {"Content-Type": "application/json"}


def test_another_content_type_is_a_415_with_a_hint(untouched: Any) -> None:
    for headers in (
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/json"},
        {"Content-Type": "application/json; charset=latin-1"},
        {},
    ):
        answer = untouched.client.post("/jobs", content=b'{"type":"add"}', headers=headers)
        assert "--json" in problem(answer, 415)["detail"]


def test_a_body_over_the_limit_is_a_413(start: Callable[..., Any]) -> None:
    api = start(max_body_bytes=2000, max_batch_body_bytes=4000)
    large = b'{"type":"add","payload":{"text":"%s"}}' % (b"x" * 3000)

    def in_chunks() -> Iterator[bytes]:
        yield large[:1500]
        yield large[1500:]

    problem(api.client.post("/jobs", content=large, headers=JSON), 413)
    problem(api.client.post("/jobs", content=in_chunks(), headers=JSON), 413)
    problem(api.client.post("/jobs/batch", content=large * 2, headers=JSON), 413)
    batch = b'{"jobs":[%s]}' % large
    assert api.client.post("/jobs/batch", content=batch, headers=JSON).status_code == 201


def test_a_host_in_the_configuration_is_allowed(start: Callable[..., Any]) -> None:
    api = start(allowed_hosts=("Jobs.example",))
    for host, status in (("jobs.example", 200), ("jobs.example:99", 200), ("x.jobs.example", 400)):
        assert api.client.get("/healthz", headers={"Host": host}).status_code == status


def test_a_write_from_our_own_page_or_a_program_is_let_in(start: Callable[..., Any]) -> None:
    api = start(cors_origins=("https://tool.example",))
    own = f"http://127.0.0.1:{api.port}"
    for headers in (
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": own},
        {"Origin": "https://tool.example", "Sec-Fetch-Site": "cross-site"},
    ):
        assert api.client.post("/jobs", json={"type": "add"}, headers=headers).status_code == 201


@pytest.mark.parametrize("path", ["/nix", "/jobs/", "/jobs/1/nix", "/ws", "/JOBS"])
def test_an_unknown_path_is_a_404(untouched: Any, path: str) -> None:
    problem(untouched.client.get(path), 404)


def test_a_request_that_is_not_http_does_no_harm(untouched: Any) -> None:
    assert raw(untouched, b"\x16\x03\x01 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert untouched.client.get("/healthz").status_code == 200


def test_an_unforeseen_error_is_a_500_without_its_traceback(api: Any) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError("secret")

    read = api.services.readers.read
    api.services.readers.read = lambda _: read(broken)

    assert "secret" not in str(problem(api.client.get("/jobs"), 500))
    assert api.client.get("/healthz").status_code == 200


def test_head_is_get_without_a_body(api: Any) -> None:
    answer = api.client.head("/jobs")

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 10
