"""Checks over HTTP: what is an answer, and what counts as dead."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.programs import ProgramSettings
from orpheus.supervisor.programs.checks import HttpChecks, problem_at
from tests.machine import wait_until


class Server(ThreadingHTTPServer):
    status = 200
    asked = 0
    answers_after_s = 0.0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked += 1
        time.sleep(self.server.answers_after_s)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/health?x=1"


@pytest.mark.parametrize(
    ("status", "problem"),
    [(200, ""), (302, ""), (404, "it answered 404"), (503, "it answered 503")],
)
def test_the_status_tells(server: Server, status: int, problem: str) -> None:
    server.status = status
    assert problem_at(url_of(server), 5) == problem


def test_no_answer_is_told_in_words() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert problem_at(f"http://127.0.0.1:{port}/", 5) == "Connection refused"
        silent.listen()
        assert problem_at(f"http://127.0.0.1:{port}/", 0.1) == "no answer within 0.1 s"


@pytest.mark.parametrize("quotes_it", [False, True])
def test_what_is_no_http_is_told_but_never_what_it_quotes(quotes_it: bool) -> None:
    """What was asked may be in it, and a query may have a token."""

    def answer(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(client.recv(1_000) if quotes_it else b"SSH-2.0\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/health?key=s3cret"
        found = problem_at(url, 5)
        thread.join()
    assert found == "not an answer of HTTP: BadStatusLine"


def test_it_is_ready_once_it_answers_and_dead_after_failures_in_a_row(server: Server) -> None:
    url = url_of(server)
    program = ProgramSettings(
        "web", ("web",), ready_http=url, alive_http=url, alive_every_s=0.01, alive_failures=3
    )
    server.status = 500
    woken: list[bool] = []
    checks = HttpChecks.start(program, 1, lambda: woken.append(True))
    assert checks is not None
    wait_until(lambda: server.asked >= 3, "a few checks")
    assert not checks.is_ready
    server.status = 200
    wait_until(lambda: checks.is_ready, "it to be ready")
    assert woken == [True]
    checks.serves = True
    before = server.asked
    wait_until(lambda: server.asked > before + 3, "more checks")
    assert woken == [True], "nothing new was found"
    checks.program = replace(program, alive_failures=2)  # as after a reload
    server.status = 500
    wait_until(lambda: checks.unhealthy, "it to be found dead")
    assert checks.unhealthy == "2 checks in a row failed (alive): it answered 500"
    checks.stop()
