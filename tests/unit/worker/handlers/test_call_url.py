"""A request of a job: what is tried again, what is not, and what is never told."""

import socket
import traceback
from typing import Any

import pytest

from orpheus import PermanentError
from orpheus.worker.handlers import calls as module
from orpheus.worker.handlers.calls import CallFailed, call_url

TOKEN = "T0K3N-of-a-chat"


def test_it_posts_a_body(receiver: Any) -> None:
    receiver.answers = [204]
    assert call_url(f"{receiver.url}/a?b=c", b"{}", {"X-Key": "1"}) == 204
    (post,) = receiver.requests
    assert (post[0], post[1], post[3], post[2]["x-key"]) == ("POST", "/a?b=c", b"{}", "1")
    assert post[2]["user-agent"] == "orpheus"


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_a_refusal_is_permanent(receiver: Any, status: int) -> None:
    receiver.answers = [status]
    with pytest.raises(PermanentError, match=f"answered {status}$"):
        call_url(f"{receiver.url}/{TOKEN}", b"", {})


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_an_answer_that_may_be_another_one_later_is_tried_again(receiver: Any, status: int) -> None:
    receiver.answers = [status]
    with pytest.raises(CallFailed, match=f"answered {status}$"):
        call_url(f"{receiver.url}/{TOKEN}", b"", {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_told_without_its_path(receiver: Any, status: int) -> None:
    receiver.answers, receiver.location = [status], f"{receiver.url}/other/{TOKEN}"
    with pytest.raises(PermanentError) as raised:
        call_url(f"{receiver.url}/{TOKEN}", b"{}", {})
    assert str(raised.value) == (
        f"{receiver.url} answered {status}, a redirect to {receiver.url}, which is not followed: "
        "call that address"
    )
    assert len(receiver.requests) == 1


def silent() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    server.listen()
    return server


def test_who_does_not_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.05)
    with silent() as server, pytest.raises(CallFailed, match="timed out"):
        call_url(f"http://127.0.0.1:{server.getsockname()[1]}/{TOKEN}", b"", {})


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:1/{TOKEN}",
        f"http://127.0.0.1:1/?key={TOKEN}",
        f"http://nobody.invalid/{TOKEN}",
        f"ftp://127.0.0.1/{TOKEN}",
        f"file:///{TOKEN}",
        f"http://127.0.0.1:port/{TOKEN}",
        f"http://127.0.0.1:1/a b/{TOKEN}",
        f"http://127.0.0.1:1/\r\nX: {TOKEN}",
        f"http://user:{TOKEN}@127.0.0.1:1/",
        f"http://[::1/{TOKEN}",
        TOKEN,
    ],
)
def test_no_error_tells_more_of_an_address_than_the_host(url: str) -> None:
    with pytest.raises((PermanentError, CallFailed)) as raised:
        call_url(url, b"", {})
    assert TOKEN not in "".join(traceback.format_exception(raised.value))


def test_a_header_that_cannot_be_sent_is_not_quoted(receiver: Any) -> None:
    with pytest.raises(PermanentError, match="a header cannot be sent") as raised:
        call_url(receiver.url, b"", {"Authorization": f"Bearer {TOKEN}\r\nX: y"})
    assert TOKEN not in "".join(traceback.format_exception(raised.value))
