"""The doors: the token and its sessions, read-only, other origins, the limit of clients."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from orpheus.api.http.auth import SESSION_S
from tests.api.raw_http import raw
from tests.audit_log import entries_of
from tests.machine import PATIENCE_S

TOKEN = "the-token-of-this-test-0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def guarded(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """An API that asks for TOKEN, and is not slow with those who guess."""
    monkeypatch.setattr("orpheus.api.http.auth.WRONG_TOKEN_S", 0.01)
    return start(token=TOKEN)


@pytest.fixture
def browser(guarded: Any) -> Iterator[httpx2.Client]:
    """A client that has logged in as the dashboard does."""
    url = f"http://127.0.0.1:{guarded.port}"
    headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    with httpx2.Client(base_url=url, trust_env=False, headers=headers) as client:
        assert client.post("/session", json={"token": TOKEN}).status_code == 204
        yield client


def is_unauthorized(answer: Any) -> bool:
    assert "Traceback" not in answer.text and TOKEN not in answer.text
    return bool(
        answer.status_code == 401
        and answer.headers["WWW-Authenticate"].startswith("Bearer")
        and answer.headers["Content-Type"] == "application/problem+json"
    )


def calls_of(api: Any) -> list[tuple[str, str]]:
    """Every call that the OpenAPI document names, with something for its parameters."""
    paths = api.client.get("/openapi.json", headers=BEARER).json()["paths"]
    return [
        (method.upper(), path.replace("{job_id}", "1").replace("{", "").replace("}", ""))
        for path, methods in paths.items()
        for method in methods
    ]


def test_every_call_needs_the_token_but_the_two_probes_and_the_login(guarded: Any) -> None:
    calls = calls_of(guarded)
    assert ("POST", "/jobs") in calls and ("GET", "/metrics") in calls
    unlisted = ("/", "/ui/submit", "/ui/jobs/1", "/docs", "/docs/start.js", "/openapi.json", "/nix")
    for method, path in [*calls, *(("GET", path) for path in unlisted)]:
        answer = guarded.client.request(method, path)
        if path in ("/healthz", "/readyz"):
            assert answer.status_code in (200, 503)
        elif (method, path) == ("POST", "/session"):
            assert answer.status_code == 400
        else:
            assert is_unauthorized(answer), (method, path)


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer x{TOKEN}"],
)
def test_a_wrong_token_is_a_401(guarded: Any, value: str) -> None:
    assert is_unauthorized(guarded.client.get("/jobs", headers={"Authorization": value}))
    assert is_unauthorized(guarded.client.post("/jobs", headers={"Authorization": value}))


@pytest.mark.parametrize(
    "path",
    [
        "//jobs",
        "/healthz/",
        "/healthz/../jobs",
        "/healthz/%2e%2e/jobs",
        "/healthz%2f..%2fjobs",
        "/healthz%00",
        "/healthz;/jobs",
        "/HEALTHZ",
        "/ui/static/x/js/overview/overview.js",
        "/ui/static/x/css/base.css/../../js/frame/live.js",
        "/ui/static/x/css%2f..%2f..%2fjs/frame/live.js",
        "/ui/static/css/base.css",
        "/session/",
    ],
)
def test_no_spelling_of_an_open_path_opens_another(guarded: Any, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert raw(guarded, request.encode()).startswith(b"HTTP/1.1 401 ")


def test_whoever_guesses_waits_and_nobody_else_does(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.http.auth.WRONG_TOKEN_S", 5.0)
    api = start(token=TOKEN)
    with socket.create_connection(("127.0.0.1", api.port), timeout=PATIENCE_S) as guesser:
        guesser.sendall(b"GET /jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\n\r\n")
        began_s = time.monotonic()
        assert api.client.get("/jobs", headers=BEARER).status_code == 200
        assert is_unauthorized(api.client.get("/jobs"))
        assert time.monotonic() - began_s < 4.9
        assert guesser.recv(100).startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - began_s > 4.9


def test_a_websocket_needs_the_token_before_it_is_accepted(guarded: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "orpheus=1"}):
        with (
            pytest.raises(InvalidStatus) as refused,
            guarded.watch(additional_headers=headers),
        ):
            pass
        assert refused.value.response.status_code == 401
    with guarded.watch(additional_headers=BEARER) as watcher:
        assert watcher.next()["type"] == "hello"


def test_a_session_is_a_cookie_that_no_script_and_no_other_site_can_use(guarded: Any) -> None:
    answer = guarded.client.post("/session", json={"token": TOKEN})
    assert (answer.status_code, answer.content) == (204, b"")
    name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("orpheus_") and TOKEN not in name
    assert {a.lower() for a in attributes} == {
        "httponly",
        "samesite=strict",
        "path=/",
        f"max-age={SESSION_S}",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    https = {"Origin": f"https://127.0.0.1:{guarded.port}"}
    secure = guarded.client.post("/session", json={"token": TOKEN}, headers=https)
    assert "Secure" in secure.headers["Set-Cookie"].split("; ")


def test_a_session_opens_what_the_token_opens(guarded: Any, browser: httpx2.Client) -> None:
    assert browser.post("/jobs", json={"type": "add"}).status_code == 201
    assert browser.get("/").status_code == 200
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with guarded.watch(additional_headers={"Cookie": cookies}) as watcher:
        assert watcher.next()["type"] == "hello"
    told = browser.get("/session").json()
    assert told["read_only"] is False and told["ends_at"].endswith("Z")


def test_a_session_outlives_the_api_that_gave_it_out(
    start: Callable[..., Any], browser: httpx2.Client
) -> None:
    successor = start(token=TOKEN)
    cookies = dict(browser.cookies)
    url = f"http://127.0.0.1:{successor.port}/jobs"
    assert httpx2.get(url, cookies=cookies, trust_env=False).status_code == 200
    other = start(token=TOKEN[::-1])
    url = f"http://127.0.0.1:{other.port}/jobs"
    assert httpx2.get(url, cookies=cookies, trust_env=False).status_code == 401


def test_logging_out_makes_the_browser_forget(browser: httpx2.Client) -> None:
    assert browser.delete("/session").status_code == 204
    assert not browser.cookies
    assert browser.get("/jobs").status_code == 401


def test_a_session_that_was_closed_opens_nothing_and_its_streams_end(
    guarded: Any, browser: httpx2.Client
) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"Cookie": cookies}
    with (
        guarded.watch(additional_headers=headers) as watcher,
        guarded.client.stream("GET", "/events", headers=headers) as events,
    ):
        assert watcher.next()["type"] == "hello"
        assert browser.delete("/session").status_code == 204
        with pytest.raises(ConnectionClosed) as closed:
            [watcher.next("heartbeat") for _ in range(30)]
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
        assert not [line for line in events.iter_lines() if "job" in line]  # it has an end
    assert guarded.client.get("/jobs", headers=headers).status_code == 401
    another = guarded.client.post("/session", json={"token": TOKEN}).headers["Set-Cookie"]
    headers = {"Cookie": another.split(";")[0]}
    assert guarded.client.get("/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"token": TOKEN[1:]}, 401),
        ({"token": "é"}, 401),
        ({"token": ""}, 422),
        ({"token": 5}, 422),
        ({"token": "x" * 5000}, 422),
        ({}, 422),
        ({"token": TOKEN, "next": "//evil.example"}, 422),
        ([], 422),
    ],
    ids=lambda case: str(case)[:40],
)
def test_what_is_no_token_opens_no_session(guarded: Any, body: Any, status: int) -> None:
    answer = guarded.client.post("/session", json=body)
    assert answer.status_code == status
    assert "Set-Cookie" not in answer.headers
    assert TOKEN[1:] not in answer.text


def test_another_site_can_neither_log_in_nor_out(guarded: Any, browser: httpx2.Client) -> None:
    evil = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    for answer in (
        browser.post("/session", json={"token": TOKEN}, headers=evil),
        browser.delete("/session", headers=evil),
    ):
        assert answer.status_code == 403 and "Set-Cookie" not in answer.headers


def test_without_a_token_there_is_no_session(api: Any) -> None:
    assert api.client.post("/session", json={"token": TOKEN}).status_code == 409
    assert api.client.delete("/session").status_code == 204
    assert api.client.get("/session").json() == {
        "read_only": False, "ends_at": None, "name": None, "role": "admin", "queues": ["*"],
        "types": ["*"],
    }  # fmt: skip


def test_a_browser_without_a_session_is_shown_the_login_page(guarded: Any) -> None:
    for path in ("/", "/ui/jobs/1", "/docs"):
        answer = guarded.client.get(path, headers={"Accept": "text/html,*/*"})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.headers["Cache-Control"] == "no-store"
        assert 'id="token"' in answer.text
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    for loaded in (part.split('"')[0] for part in answer.text.split('="')[1:]):
        if loaded.startswith("/ui/"):
            assert guarded.client.get(loaded).status_code == 200, loaded


def test_a_stream_ends_with_the_session_that_opened_it(
    guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.api.http.auth.SESSION_S", 2)
    opened = guarded.client.post("/session", json={"token": TOKEN})
    headers = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}
    with guarded.watch(additional_headers=headers) as watcher:
        assert watcher.next()["type"] == "hello"
        with pytest.raises(ConnectionClosed) as closed:
            [watcher.next("heartbeat") for _ in range(30)]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_the_trail_tells_one_session_from_another(guarded: Any, browser: httpx2.Client) -> None:
    browser.post("/queues/a/pause", json={"reason": "why"})
    guarded.client.post("/queues/a/resume", headers=BEARER)
    by_token, by_session = browser.get("/audit").json()["items"]
    assert by_token["by"] == "api:127.0.0.1"
    assert by_session["by"].startswith("api:127.0.0.1#")
    assert by_session["reason"] == "why"


def test_the_token_is_never_logged(
    guarded: Any, browser: httpx2.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = "wrong-token-wrong-token-wrong-token"
    guarded.client.get("/jobs", headers={"Authorization": f"Bearer {wrong}"})
    guarded.client.post("/session", json={"token": wrong})
    browser.delete("/session")
    out = "".join(capfd.readouterr())
    assert TOKEN not in out and wrong not in out


# Read-only


def test_a_read_only_api_changes_nothing(start: Callable[..., Any]) -> None:
    api = start(read_only=True)
    for method, path in calls_of(api):
        with api.client.stream(method, path, json={"type": "add"}) as answer:  # one has no end
            if method == "GET":
                assert answer.status_code not in (401, 403), path
            elif path != "/session":
                assert answer.status_code == 403, (method, path)
                assert "read-only" in answer.read().decode()
    assert api.client.post("/jobs/bulk", json={"dry_run": True}).status_code == 403
    assert api.client.put("/nix", json={}).status_code == 403
    assert api.store.events.last_seq() == 0 and not entries_of(api.store, 10)
    assert "data-read-only" in api.client.get("/").text
    assert api.client.get("/session").json()["read_only"] is True


def test_one_can_log_in_where_nothing_can_be_changed(start: Callable[..., Any]) -> None:
    api = start(read_only=True, token=TOKEN)
    assert api.client.post("/session", json={"token": TOKEN}).status_code == 204
    assert api.client.get("/jobs").status_code == 200
    assert api.client.post("/jobs", json={"type": "add"}).status_code == 403
    assert api.client.delete("/session").status_code == 204


# The whole system


def test_another_token_in_the_file_is_taken_on_a_reload_and_ends_what_was_open(
    start_system: Callable[..., Any], wait_for: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(TOKEN)
    system = start_system(
        "pools.default.workers=1",
        f"api.token_file={file}",
        "api.host=0.0.0.0",
        "logging.level=debug",
    )
    system.wait_until_ready()
    assert system.client.get("/jobs").status_code == 401
    assert system.client.get("/jobs", headers=BEARER).status_code == 200
    port = system.url.rsplit(":", 1)[1]
    healthcheck = [sys.executable, "-m", "orpheus.supervisor", "healthcheck"]
    for setting in (f"api.port={port}", f"api.token_file={file}", "api.host=0.0.0.0"):
        healthcheck += ["--set", setting]
    assert subprocess.run(healthcheck, check=False, stdout=subprocess.DEVNULL).returncode == 0
    file.write_text("")
    system.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "32 or more characters" in system.log(), "the refusal of an empty token")
    assert system.client.get("/jobs", headers=BEARER).status_code == 200
    file.write_text(TOKEN[::-1])
    system.process.send_signal(signal.SIGHUP)
    new = {"Authorization": f"Bearer {TOKEN[::-1]}"}
    wait_for(
        lambda: httpx2.get(f"{system.url}/jobs", headers=new, trust_env=False).status_code == 200,
        "the new token to be taken",
    )
    answer = httpx2.get(f"{system.url}/jobs", headers=BEARER, trust_env=False)
    assert answer.status_code == 401
    assert system.stop() == 0
    assert TOKEN not in system.log() and TOKEN[::-1] not in system.log()
