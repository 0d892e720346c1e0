"""The checks that stand before the application."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from orpheus.api.http.auth import Authenticator, Key
from orpheus.api.http.guard import (
    GuardRules,
    LoginRules,
    allowed_hosts,
    check_content_type,
    check_host,
    check_may_write,
    check_websocket_origin,
    check_write_origin,
    read_body,
)
from orpheus.api.http.large_bodies import HeldBody, LargeBodies
from orpheus.api.http.problems import Refusal

HOSTS = allowed_hosts("192.0.2.7", ["jobs.example", "other.example:8443"])


def status_of(check: Any, *arguments: Any) -> int:
    """The status with which a check refuses; 200 if it does not."""
    try:
        check(*arguments)
    except Refusal as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("192.0.2.7:8000", 200),
        ("jobs.example", 200),
        ("other.example:8443", 200),
        ("other.example", 400),
        ("other.example:1", 400),
        ("localhost.evil.example", 400),
        ("evil.example", 400),
        ("localhost:80:80", 400),
        ("localhost:x", 400),
        ("localhost@evil.example", 400),
        ("", 400),
        (":8000", 400),
        ("127.0.0.2", 400),
    ],
)
def test_only_the_names_of_this_server_are_hosts(host: str, status: int) -> None:
    assert status_of(check_host, [(b"host", host.encode())], HOSTS, None) == status


def test_exactly_one_host_is_needed() -> None:
    assert status_of(check_host, [], HOSTS, None) == 400
    assert status_of(check_host, [(b"host", b"localhost")] * 2, HOSTS, None) == 400


def test_listening_everywhere_names_no_host() -> None:
    for everywhere in ("0.0.0.0", "::", ""):
        assert allowed_hosts(everywhere, []) == {"localhost", "127.0.0.1", "[::1]"}
    assert "[2001:db8::1]" in allowed_hosts("2001:db8::1", [])


@pytest.mark.parametrize(
    ("site", "origin", "status"),
    [
        (None, None, 200),
        ("same-origin", None, 200),
        ("none", None, 200),
        ("same-origin", "http://localhost:8000", 200),
        (None, "http://localhost:8000", 200),
        (None, "https://localhost:8000", 200),
        ("cross-site", "https://tool.example", 200),
        (None, "http://localhost:9000", 403),
        (None, "http://localhost", 403),
        (None, "null", 403),
        (None, "https://tool.example.evil", 403),
        ("cross-site", None, 403),
        ("same-site", None, 403),
        ("nonsense", None, 403),
        ("cross-site", "http://evil.example", 403),
    ],
)
def test_a_write_comes_from_a_program_or_a_page_of_ours(
    site: str | None, origin: str | None, status: int
) -> None:
    headers = {}
    if site is not None:
        headers[b"sec-fetch-site"] = site.encode()
    if origin is not None:
        headers[b"origin"] = origin.encode()
    trusted = frozenset({"https://tool.example"})

    assert status_of(check_write_origin, headers, "localhost:8000", trusted) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:8000", 200),
        ("http://localhost:8001", 403),
        ("http://evil.example", 403),
        ("null", 403),
    ],
)
def test_a_websocket_is_opened_by_a_program_or_a_page_of_ours(
    origin: str | None, status: int
) -> None:
    headers = {} if origin is None else {b"origin": origin.encode()}

    assert status_of(check_websocket_origin, headers, "localhost:8000", frozenset()) == status


@pytest.mark.parametrize(
    ("method", "path", "is_open"),
    [
        ("GET", "/healthz", True),
        ("GET", "/readyz", True),
        ("POST", "/session", True),
        ("GET", "/ui/static/0123/css/login.css", True),
        ("GET", "/ui/static/0123/js/base/login.js", True),
        ("GET", "/session", False),
        ("DELETE", "/session", False),
        ("GET", "/", False),
        ("GET", "/metrics", False),
        ("GET", "/docs", False),
        ("GET", "/openapi.json", False),
        ("GET", "/healthz/", False),
        ("GET", "/Healthz", False),
        ("GET", "/ui/static/0123/js/overview/overview.js", False),
        ("GET", "/ui/static/0123/css/login.css/../../js/overview/overview.js", False),
        ("GET", "/ui/static/css/login.css", False),
        ("GET", "/ui/static//css/login.css", True),  # no version: the route answers 404
        ("GET", "/ui/static/0123/", False),
    ],
)
def test_only_probes_and_the_login_are_open(method: str, path: str, is_open: bool) -> None:
    files = frozenset({"css/login.css", "js/base/login.js"})
    login = LoginRules(Authenticator([Key(("t" * 32,))], "orpheus"), "", {}, files)

    assert login.is_public({"type": "http", "method": method, "path": path}) is is_open


def test_where_nothing_may_be_changed_one_may_still_log_in() -> None:
    hosts: frozenset[str] = frozenset()
    read_only = GuardRules(hosts, hosts, 1, 1, read_only=True)
    assert status_of(check_may_write, "/jobs", read_only) == 403
    assert status_of(check_may_write, "/session", read_only) == 200
    assert status_of(check_may_write, "/jobs", GuardRules(hosts, hosts, 1, 1)) == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"application/json", 200),
        (b"application/json; charset=utf-8", 200),
        (b'APPLICATION/json;charset="UTF-8"', 200),
        (b"application/json ; version=1; charset = utf-8;", 200),
        (b"application/json; charset=utf-16", 415),
        (b"application/json; charset=utf-8; charset=utf-16", 415),
        (b"application/json; charset*" + b"9" * 5_000 + b"=a", 200),  # is no charset
        (b"application/json; charset*0=a; charset*=a", 200),
        (b"application/problem+json", 415),
        (b"text/plain", 415),
        (b"application/jsonx", 415),
        (b"\xff", 415),
        (b"", 415),
    ],
)
def test_only_json_is_a_content_type(content_type: bytes, status: int) -> None:
    assert status_of(check_content_type, content_type) == status


def body_of(chunks: Iterable[bytes], limit: int, **headers: bytes) -> bytes:
    waiting = [
        *({"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks),
        {"type": "http.request", "body": b"", "more_body": False},
    ]

    async def receive() -> Any:
        return waiting.pop(0)

    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return asyncio.run(
        read_body(
            {b"content-type": b"application/json", **named},
            receive,
            limit,
            HeldBody(LargeBodies(limit)),
        )
    )


def test_a_body_is_read_up_to_its_limit() -> None:
    assert body_of([b"12345", b"67890"], 10) == b"1234567890"
    with pytest.raises(Refusal) as refused:
        body_of([b"12345", b"678901"], 10)
    assert refused.value.status == 413


def test_a_body_that_announces_too_much_is_not_read() -> None:
    with pytest.raises(Refusal) as refused:
        body_of([], 10, content_length=b"11")
    assert refused.value.status == 413


def test_a_client_that_leaves_amid_its_body_is_no_surprise() -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(Refusal):
        asyncio.run(read_body({}, receive, 10, HeldBody(LargeBodies(10))))
