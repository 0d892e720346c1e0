"""What somebody would try who means harm: nothing changes, nothing falls, nobody else notices."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from orpheus.api.http.problems import PROBLEM_JSON
from tests.api.conftest import Running
from tests.api.raw_http import answers_at_once, raw, read_all, sockets
from tests.audit_log import entries_of
from tests.machine import slowness

JSON = {"Content-Type": "application/json"}
HALF = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
ADDRESS = "127.0.0.1"


@pytest.fixture
def unharmed(shared_api: Running) -> Iterator[Running]:
    """The same for many tests: each must leave it as it is, without a new job or entry."""
    store = shared_api.store
    before = store.events.last_seq(), entries_of(store, 10)
    yield shared_api
    assert (store.events.last_seq(), entries_of(store, 10)) == before


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "127.1",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "localhost, evil.example",
        "\u00a0localhost",
    ],
)
def test_a_page_that_rebinds_its_name_to_us_reads_and_changes_nothing(
    unharmed: Any, host: str
) -> None:
    raw_host = host.encode("latin-1")
    headers = b"\r\nHost: " + raw_host + b"\r\nConnection: close\r\n"
    for line in (b"GET /jobs", b"GET /healthz", b"GET /", b"GET /ui/static/x/css/base.css"):
        answer = raw(unharmed, line + b" HTTP/1.1" + headers + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), line
    body = b'{"type":"add"}'
    json_headers = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = raw(unharmed, b"POST /jobs HTTP/1.1" + headers + json_headers + body)
    assert answer.startswith(b"HTTP/1.1 400 ")
    upgrade = (
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    answer = raw(unharmed, b"GET /ws HTTP/1.1\r\nHost: " + raw_host + b"\r\n" + upgrade)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert unharmed.store.events.last_seq() == 0


def test_an_absolute_target_does_not_stand_in_for_the_host(api: Any) -> None:
    request = (
        b"GET http://localhost/jobs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert raw(api, request).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: Bearer x",
        b"Origin: http://localhost",
        b"Sec-Fetch-Site: same-origin",
        b"Content-Type: application/json",
        b"If-Match: x",
        b"Last-Event-ID: 1",
    ],
)
def test_of_two_headers_none_is_chosen(unharmed: Any, header: bytes) -> None:
    line = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    answer = raw(unharmed, line + header + b"\r\n" + header + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"has 2 " + header.split(b":")[0].lower() in answer


def test_headers_that_proxies_set_change_nothing(api: Any) -> None:
    for name in (
        "X-Forwarded-Host",
        "X-Host",
        "Forwarded",
        "X-Original-URL",
        "X-HTTP-Method-Override",
    ):
        answer = api.client.get("/jobs", headers={name: "evil.example"})
        assert answer.status_code == 200 and "evil" not in str(answer.headers)
    api.client.post("/queues/a/pause", headers={"X-Forwarded-For": "203.0.113.9"})
    assert api.client.get("/audit").json()["items"][0]["by"] == "api:127.0.0.1"


FORMS = [
    ("application/x-www-form-urlencoded", b"type=add"),
    ("text/plain", b'{"type":"add"}'),
    ("text/plain;application/json", b'{"type":"add"}'),
    (
        "multipart/form-data; boundary=x",
        b'--x\r\n\r\n{"type":"add"}\r\n--x--',
    ),
    ("", b'{"type":"add"}'),
    ("application/json", b'{"type":"add"}'),
]


@pytest.mark.parametrize(("content_type", "body"), FORMS)
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://"]
)
def test_a_form_of_another_site_submits_nothing(
    unharmed: Any, content_type: str, body: bytes, origin: str
) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    for path in ("/jobs", "/jobs/batch", "/jobs/bulk", "/queues/a/pause", "/session"):
        answer = unharmed.client.post(
            path, content=body, headers={**headers, "Content-Type": content_type}
        )
        assert answer.status_code == 403
    assert unharmed.store.events.last_seq() == 0 and not entries_of(unharmed.store, 10)


def test_without_fetch_metadata_the_content_type_stops_a_form(api: Any) -> None:
    for content_type, body in FORMS[:-1]:
        answer = api.client.post("/jobs", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == 415, content_type


def test_reading_by_get_changes_nothing_whatever_the_query_says(api: Any) -> None:
    job_id = api.submit()
    for path in (f"/jobs/{job_id}/cancel", f"/jobs/{job_id}/delete", "/queues/a/pause", "/session"):
        answer = api.client.get(f"{path}?_method=POST&method=DELETE")
        assert answer.status_code in (200, 404, 405), path
    assert api.client.get(f"/jobs/{job_id}").json()["status"] == "pending"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost", "file://", "x"]
)
def test_a_websocket_of_another_site_is_not_opened(unharmed: Any, origin: str) -> None:
    own = {"Origin": origin}
    with pytest.raises(InvalidStatus) as refused, unharmed.watch(additional_headers=own):
        pass
    assert refused.value.response.status_code == 403


# Paths and bodies


@pytest.mark.parametrize(
    "path",
    [
        "/ui/static/%2e%2e/%2e%2e/pages.py",
        "/ui/static/x/../../../pages.py",
        "/ui/static/x/..%2f..%2fpages.py",
        "/ui/static/x/%2e%2e%2f%2e%2e%2fpages.py",
        "/ui/static/x//etc/passwd",
        "/ui/static/x/%2fetc%2fpasswd",
        "/ui/static/x/css/base.css%00.js",
        "/ui/static/x/..\\..\\pages.py",
        "/docs/..%2f..%2fapi%2fdocs.py",
        "/docs/%2e%2e/guard.py",
        "//etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/jobs/1%2fcancel",
        "/jobs/%00",
        "/jobs/1%0d%0aX-Evil:%201",
        "/jobs/%ff",
        "/jobs/../jobs",
        "/jobs//",
        "/\u202e",
        "/" + "a" * 30_000,
    ],
    ids=lambda path: path[:40],
)
def test_a_path_leads_to_nothing_but_what_it_names(unharmed: Any, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(unharmed, request.encode())
    assert re.match(rb"HTTP/1.1 (400|404|405) ", answer), answer[:100]
    assert b"root:" not in answer and b"import" not in answer
    assert b"\r\nX-Evil" not in answer


def test_a_location_never_leads_elsewhere(api: Any) -> None:
    for path in ("//evil.example/", "//evil.example/%2f..", "/%5cevil.example", "/jobs/"):
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        answer = raw(api, request.encode())
        assert answer.startswith(b"HTTP/1.1 404 ") and b"\r\nlocation" not in answer.lower()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 900_000, 400),
        (b'{"a":' * 150_000 + b"1" + b"}" * 150_000, 400),
        (b'{"type":"add","payload":{"n":[' + b"[]," * 200_000 + b"[]]}}", 422),
        (b'{"type":"add","payload":{"text":"' + b"\\u0000" * 100_000 + b'"}}', 422),
        (b'{"type":"add","priority":' + b"9" * 900_000 + b"}", 422),
        (b'{"type":"add","payload":{"n":1e' + b"9" * 900_000 + b"}}", 422),
        (b'{"type":"add","tags":[' + b'"a",' * 200_000 + b'"a"]}', 422),
        (b'{"type":"add","depends_on":[' + b"1," * 300_000 + b"1]}", 422),
        (b"{" + b",".join(b'"k%d":1' % n for n in range(70_000)) + b"}", 422),
        (b'{"type":"' + b"x" * 1_000_000 + b'"}', 422),
        (b"\xff" * 1_000_000, 400),
        (b" " * 1_000_000, 400),
        (b'{"type":"add"}' + b" " * 2_000_000, 413),
    ],
    ids=lambda case: str(case)[:30],
)
def test_a_body_that_is_meant_to_exhaust_is_refused_soon(
    unharmed: Any, body: bytes, status: int
) -> None:
    began_s = time.monotonic()
    answer = unharmed.client.post("/jobs", content=body, headers=JSON)
    assert answer.status_code == status, answer.text[:200]
    assert answer.headers["Content-Type"] == PROBLEM_JSON
    assert len(answer.content) < 100_000
    assert time.monotonic() - began_s < 5 * slowness()
    assert unharmed.store.events.last_seq() == 0


def test_a_body_without_a_length_is_cut_off_at_the_limit(start: Callable[..., Any]) -> None:
    api = start(max_body_bytes=100_000)
    head = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with sockets(api, 1) as (one,):
        one.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
        sent = 0
        try:
            while sent < 2_000:  # 20 MB, had nobody stopped us
                one.sendall(chunk)
                sent += 1
        except OSError:
            pass
        assert sent < 2_000
    assert answers_at_once(api)


@pytest.mark.parametrize(
    "request_",
    [
        b"Content-Length: 14\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 14\r\nContent-Length: 15\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 1_4\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b" Content-Length: 14\r\n",
        b"X: a\0b\r\n",
    ],
)
def test_a_request_that_two_readers_could_take_in_two_ways_is_refused(
    unharmed: Any, request_: bytes
) -> None:
    head = b"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = raw(unharmed, head + request_ + b'Connection: close\r\n\r\n{"type":"add"}')
    assert answer.startswith(b"HTTP/1.1 4")
    assert unharmed.store.events.last_seq() == 0


@pytest.mark.parametrize(
    ("version", "header", "status"),
    [
        (b"1.1", b"Transfer-Encoding: chunked\r\n", 201),
        (b"1.1", b"Transfer-Encoding: Chunked\r\n", 201),
        (b"1.1", b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"1.1", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"1.0", b"Transfer-Encoding: chunked\r\n", 400),
    ],
)
def test_no_transfer_coding_is_taken_but_chunked(
    api: Any, version: bytes, header: bytes, status: int
) -> None:
    head = b"POST /jobs HTTP/" + version + b"\r\nHost: localhost\r\nConnection: close\r\n"
    body = b'Content-Type: application/json\r\n\r\ne\r\n{"type":"add"}\r\n0\r\n\r\n'
    answer = raw(api, head + header + body)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert len(api.client.get("/jobs").json()["items"]) == (status == 201)


NASTY = '"}\r\n{"level":"error","event":"forged"}\x1b[2J\x1b]0;owned\x07\u2028\u202e\x7f\x9b2J'


def test_no_text_of_a_user_breaks_or_forges_a_line_of_the_log(
    start_system: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    system = start_system(
        "pools.default.workers=1",
        "logging.format=json",
        "logging.level=debug",
        'jobs.modules=["orpheus.worker.handlers", "tests.browser.hostile_jobs"]',
    )
    system.wait_until_ready()
    for fail in (False, True):
        payload = {"text": NASTY, "fail": fail}
        job = system.submit("shout", payload, unique_key=f"{NASTY}{fail}")
        system.wait_for_job(job)
        system.client.post(f"/jobs/{job}/retry", json={"reason": NASTY})
        system.client.get("/jobs", params={"q": NASTY, "type": NASTY})
    system.client.get("/%0d%0a%7b%22event%22:%22forged%22%7d%1b[2J")
    system.client.post("/queues/%0aforged/pause")
    system.client.get("/jobs", headers={"User-Agent": "\x1b[2J forged"})
    with socket.create_connection((ADDRESS, int(system.url.rsplit(":", 1)[1]))) as one:
        one.sendall(b"\x1b[2J forged\r\n\r\n")
        read_all(one)
    assert system.stop() == 0
    lines = system.log().split("\n")
    logged = [line for line in lines if line.startswith("{")]
    assert len(logged) > 5
    for line in logged:
        assert json.loads(line)["event"] != "forged"
    shown = "".join(lines)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", shown)
    assert "forged" not in "".join(line for line in lines if not line.startswith("{"))
