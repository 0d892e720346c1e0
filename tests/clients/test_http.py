"""What a client over HTTP does about a server that fails, stops or is another one."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from orpheus import AsyncClient, Client
from orpheus.client import (
    DatabaseFull,
    JobRequest,
    NotFound,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.storage import open_storage
from tests.api.conftest import ADD, Running

JOB = {
    "id": 7, "type": "add", "payload": {}, "status": "pending", "queue": "default", "priority": 0,
    "result": None, "error": None, "attempt": 0, "max_retries": 3, "timeout": 900.0,
    "progress": None, "message": None, "created_at": "2026-01-31T12:00:00.000Z",
    "run_at": "2026-01-31T12:00:00.000Z", "started_at": None, "finished_at": None, "worker": None,
    "unique_key": None, "depends_on": [], "tags": [], "cancel_requested": False,
    "of_a_newer_server": 1,
}  # fmt: skip
Reply = tuple[int, dict[str, str], bytes] | None
"""Status, headers and body; None: the connection is closed without an answer."""
OK: Reply = (200, {}, json.dumps(JOB).encode())
FASTAPI = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}
WHOLE = b'{"title": "Not Found", "status": 404, "detail": "there is no job 7"}'
"""A problem of Orpheus, behind a gateway that writes another content type, too."""


class Scripted:
    """A server that gives the replies of a list, one to each request, and keeps the requests."""

    def __init__(self, replies: list[Reply]) -> None:
        self.replies = replies
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = (self.command, self.path, dict(self.headers.items()), body)
                server.seen.append(request)
                reply = server.reply(*request)
                if reply is None:
                    self.close_connection = True
                    return
                status, headers, content = reply
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the names that it calls

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        return self.replies.pop(0)

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    """Starts servers that give these replies."""
    started: list[Scripted] = []

    def start(*replies: Reply) -> Scripted:
        started.append(Scripted([*replies]))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@contextmanager
def calling(kind: str, url: str, **options: Any) -> Iterator[Callable[..., Any]]:
    """A function that calls a method of a new client."""
    if kind == "blocking":
        with Client(url, **options) as client:
            yield lambda name, *given: getattr(client, name)(*given)
        return
    with asyncio.Runner() as runner:
        awaited = AsyncClient(url, **options)

        async def call(name: str, *given: Any) -> Any:
            return await getattr(awaited, name)(*given)

        yield lambda name, *given: runner.run(call(name, *given))
        runner.run(awaited.close())


@pytest.fixture(params=["blocking", "awaited"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


SOON: Reply = (503, {**PROBLEM, "Retry-After": "0"}, b'{"detail": "locked"}')
BROKEN: Reply = (500, PROBLEM, b'{"detail": "it failed"}')


@pytest.mark.parametrize("failure", [None, SOON, (502, {}, b"a proxy"), (504, {}, b"")])
def test_a_submission_is_sent_again_with_the_same_key(
    kind: str, scripted: Callable[..., Scripted], failure: Reply
) -> None:
    server = scripted(failure, failure, OK)
    with calling(kind, server.url) as call:
        assert call("submit", "add", {"n": 1}).id == 7
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in server.seen}) == 1
    assert [body for *_, body in server.seen] == [b'{"type":"add","payload":{"n":1}}'] * 3


def test_each_submission_has_a_key_of_its_own(kind: str, scripted: Callable[..., Scripted]) -> None:
    server = scripted(OK, OK, (201, {}, b'{"ids": [1]}'))
    with calling(kind, server.url) as call:
        call("submit", "add")
        call("submit", "add")
        call("submit_many", [JobRequest("add")])
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in server.seen}) == 3


@pytest.mark.parametrize("method", ["retry", "run_now"])
def test_an_action_that_must_not_be_done_twice_is_sent_once(
    kind: str, scripted: Callable[..., Scripted], method: str
) -> None:
    replies: dict[str, Reply] = {
        "^locked$": SOON,
        "it may have been done": None,
        "status 502; it may have been done": (502, {}, b"a proxy"),
    }
    server = scripted(*replies.values())
    with calling(kind, server.url) as call:
        for told in replies:
            with pytest.raises(Unavailable, match=told):
                call(method, 7)
    assert not server.replies


SIGNAL: Reply = (
    200,
    {},
    b'{"name": "a", "key": "7", "payload": 1, "at": "2026-01-31T12:00:00Z", "is_new": false}',
)


def test_a_signal_is_sent_again_as_its_first_payload_stays(
    kind: str, scripted: Callable[..., Scripted]
) -> None:
    server = scripted(SOON, None, SIGNAL)
    with calling(kind, server.url) as call:
        assert call("signal", "a", 7, 1).is_new is False
    assert {body for *_, body in server.seen} == {b'{"name":"a","key":"7","payload":1}'}


@pytest.mark.parametrize(("method", "done"), [("cancel", OK), ("delete", (204, {}, b""))])
def test_an_action_that_may_be_done_twice_is_sent_again(
    kind: str, scripted: Callable[..., Scripted], method: str, done: Reply
) -> None:
    server = scripted(SOON, None, (502, {}, b"a proxy"), done)
    with calling(kind, server.url) as call:
        call(method, 7)
    assert not server.replies


def test_reading_is_repeated_and_other_errors_are_told_at_once(
    kind: str, scripted: Callable[..., Scripted]
) -> None:
    server = scripted(None, SOON, OK, BROKEN)
    with calling(kind, server.url) as call:
        assert call("get", 7).id == 7
        with pytest.raises(UnexpectedAnswer, match="it failed"):
            call("submit", "add")
    assert len(server.seen) == 4


def test_a_server_that_wants_more_time_than_there_is_is_not_waited_for(
    kind: str, scripted: Callable[..., Scripted]
) -> None:
    server = scripted((503, {**PROBLEM, "Retry-After": "60"}, b'{"detail": "draining"}'))
    with calling(kind, server.url, retry_for="5s") as call, pytest.raises(Unavailable) as told:
        call("get", 7)
    assert str(told.value) == "draining"


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        ((200, {}, b"<html>"), UnexpectedAnswer, "the answer is not JSON"),
        ((404, {}, b"Not Found"), UnexpectedAnswer, "GET /jobs/7: status 404"),
        ((404, FASTAPI, b'{"detail": "Not Found"}'), UnexpectedAnswer, "does Orpheus answer there"),
        ((409, FASTAPI, b'{"detail": "stale"}'), UnexpectedAnswer, "status 409: does"),
        ((403, FASTAPI, b'{"detail": "VPN only"}'), Unauthorized, "status 403$"),
        ((404, FASTAPI, WHOLE), NotFound, "^there is no job 7$"),
        ((200, FASTAPI, b'{"id": 7, "name": "tea"}'), UnexpectedAnswer, "not that of Orpheus"),
        ((413, {}, b"<html>"), TooLarge, "status 413"),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), UnexpectedAnswer, "status 302"),
        ((507, PROBLEM, b'{"detail": "no space is left"}'), DatabaseFull, "no space is left"),
        ((401, PROBLEM, b'{"detail": "Send the token"}'), Unauthorized, "Send the token"),
    ],
)
def test_an_answer_means_an_error(
    kind: str,
    scripted: Callable[..., Scripted],
    reply: Reply,
    error: type[Exception],
    text: str,
) -> None:
    server = scripted(reply)
    with calling(kind, server.url) as call, pytest.raises(error, match=text):
        call("get", 7)


@pytest.mark.parametrize(
    ("body", "told"), [(b"<html>", "is not JSON"), (b'{"id": 7}', "is not that of Orpheus")]
)
def test_an_answer_that_cannot_be_read_tells_why_and_that_the_action_may_have_been_done(
    scripted: Callable[..., Scripted], body: bytes, told: str
) -> None:
    server = scripted((200, {}, body), (200, {}, body))
    with calling("blocking", server.url) as call:
        for method, unknown in (("get", ""), ("run_now", "; it may have been done")):
            with pytest.raises(UnexpectedAnswer, match=f"{told}{unknown}: does Orph") as raised:
                call(method, 7)
            assert isinstance(raised.value.__cause__, (ValueError, TypeError))


def test_a_server_below_a_path_gets_the_token_and_what_it_does_not_know_of_is_left_out(
    kind: str, scripted: Callable[..., Scripted]
) -> None:
    server = scripted(OK)
    with calling(kind, f"{server.url}/orpheus/", token="t" * 32) as call:
        job = call("get", 7)
    assert not hasattr(job, "of_a_newer_server")
    ((_, path, headers, _),) = server.seen
    assert (path, headers["Authorization"]) == ("/orpheus/jobs/7", f"Bearer {'t' * 32}")


def test_waiting_beside_a_server_that_stops_asks_seldom(
    kind: str, scripted: Callable[..., Scripted]
) -> None:
    done = {**JOB, "status": "done"}
    server = scripted(OK, OK, (200, {}, json.dumps(done).encode()))
    with calling(kind, server.url) as call:
        assert call("wait", 7).ended
    assert [path for _, path, _, _ in server.seen] == ["/jobs/7?wait=30.0"] * 3


def test_nobody_answers(kind: str, scripted: Callable[..., Scripted]) -> None:
    server = scripted()
    server.stop()
    with calling(kind, server.url, retry_for=0) as call, pytest.raises(Unavailable) as told:
        call("submit", "add")
    assert "does not answer" in str(told.value) and "may have been done" not in str(told.value)


def test_a_wait_is_not_longer_than_asked_for_while_nobody_answers(
    kind: str, scripted: Callable[..., Scripted]
) -> None:
    server = scripted()
    server.stop()
    with calling(kind, server.url, retry_for="1h") as call, pytest.raises(Unavailable):
        call("wait", 7, 0.2)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "http://",
        "http://user:s3cret/@host",
        "http://user:s3cret@host:port",
        "user:s3cret@host",
        "ftp://host/?token=s3cret",
    ],
)
def test_what_is_no_url_is_told_without_its_password(url: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="is no URL") as refused:
            kind(url)
        assert "s3cret" not in str(refused.value)


def test_a_server_and_a_configuration_cannot_both_be_given() -> None:
    with pytest.raises(ValueError, match="not both"):
        Client("http://127.0.0.1:8000", config="orpheus.toml")
    with pytest.raises(ValueError, match="only a server wants one"):
        Client(token="x" * 32)


def test_the_token_must_be_right_and_the_api_may_be_read_only(
    kind: str, options: ApiHandover
) -> None:
    store = open_storage(options.storage, create=True)
    store.types.replace([ADD])
    with_token = Running(options, store, "t" * 32)
    read_only = Running(replace(options, read_only=True), store, None)
    try:
        url = f"http://127.0.0.1:{with_token.port}"
        with calling(kind, url, token="t" * 32) as call:
            assert call("submit", "add").id == 1
        for token in (None, "x" * 32):
            with calling(kind, url, token=token) as call, pytest.raises(Unauthorized):
                call("get", 1)
        with calling(kind, f"http://127.0.0.1:{read_only.port}") as call:
            assert call("get", 1).id == 1
            with pytest.raises(Unauthorized, match="read-only"):
                call("submit", "add")
    finally:
        with_token.stop()
        read_only.stop()
        store.close()


def test_a_request_in_a_signal_handler_takes_no_connection_of_the_one_it_interrupted(
    scripted: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The locks of the other pool may be held by the interrupted request, which would never end."""
    used: list[httpx2.Client] = []
    whole = httpx2.Client.request

    def interrupted(self: httpx2.Client, **request: Any) -> httpx2.Response:
        used.append(self)
        if len(used) == 1:
            client.get(7)
        return whole(self, **request)

    monkeypatch.setattr(httpx2.Client, "request", interrupted)
    with Client(scripted(OK, OK, OK).url) as client:
        client.get(7)
        client.get(7)
    assert used[0] is not used[1] and used[0] is used[2]
