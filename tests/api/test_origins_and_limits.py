"""Other origins, the limit of clients, and the headers of every answer."""

from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

TOKEN = "the-token-of-this-test-0123456789abcdef"


BEARER = {"Authorization": f"Bearer {TOKEN}"}


TOOL = "https://tool.example"


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}


def test_no_other_origin_may_read_unless_it_is_listed(start: Callable[..., Any]) -> None:
    closed, open_ = start(), start(cors_origins=(TOOL,))
    for api, origin in ((closed, TOOL), (open_, "https://evil.example"), (open_, f"{TOOL}.evil")):
        answer = api.client.get("/jobs", headers={"Origin": origin})
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
        asked = api.client.request("OPTIONS", "/jobs", headers={"Origin": origin, **PREFLIGHT})
        assert asked.status_code == 405
        assert not [name for name in asked.headers if name.startswith("access-control")]
    assert "Vary" not in closed.client.get("/jobs").headers
    assert open_.client.get("/jobs").headers["Vary"] == "Origin"


def test_a_listed_origin_may_call_without_cookies(start: Callable[..., Any]) -> None:
    api = start(cors_origins=(TOOL,), token=TOKEN)
    asked = api.client.request("OPTIONS", "/jobs", headers={"Origin": TOOL, **PREFLIGHT})
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == TOOL
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    headers = {"Origin": TOOL, "Sec-Fetch-Site": "cross-site", **BEARER}
    created = api.client.post("/jobs", json={"type": "add"}, headers=headers)
    refused = api.client.get("/jobs", headers={"Origin": TOOL})
    assert (created.status_code, refused.status_code) == (201, 401)
    for answer in (asked, created, refused):
        assert answer.headers["Access-Control-Allow-Origin"] == TOOL
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        (None, True),
        (TOOL, True),
        ("own", True),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_websocket_comes_from_the_same_or_a_listed_origin(
    start: Callable[..., Any], origin: str | None, is_let_in: bool
) -> None:
    api = start(cors_origins=(TOOL,))
    origin = f"http://127.0.0.1:{api.port}" if origin == "own" else origin
    headers = {} if origin is None else {"Origin": origin}
    if is_let_in:
        with api.watch(additional_headers=headers) as watcher:
            assert watcher.next()["type"] == "hello"
        return
    with pytest.raises(InvalidStatus) as refused, api.watch(additional_headers=headers):
        pass
    assert refused.value.response.status_code == 403


def test_clients_beyond_the_limit_are_told_to_come_back_and_probes_are_answered(
    start: Callable[..., Any],
) -> None:
    api = start(max_clients=2)
    with api.watch() as first, api.watch() as second:
        first.next("hello"), second.next("hello")
        with pytest.raises(InvalidStatus) as refused, api.watch():
            pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"] == "1"
        for path, status in (("/jobs", 503), ("/", 503), ("/healthz", 200), ("/readyz", 503)):
            answer = api.client.get(path)
            assert answer.status_code == status, path
        assert answer.json()["checks"]["database"]["status"] == "ok"


@pytest.mark.parametrize(
    "path",
    ["/", "/jobs", "/nix", "/healthz", "/metrics", "/openapi.json", "/docs", "/docs/start.js"],
)
def test_every_answer_says_how_little_it_may_do(api: Any, path: str) -> None:
    headers = api.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] in ("no-store", "no-cache")
