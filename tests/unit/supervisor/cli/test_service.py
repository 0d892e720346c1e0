"""`orpheus healthcheck`, and `outbox`, which ask for no database."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import apsw
import pytest

Orpheus = Callable[..., Any]


@pytest.fixture
def api() -> Iterator[Callable[[int, bytes], int]]:
    """An API that gives one answer; returns its port."""
    servers: list[ThreadingHTTPServer] = []

    def serve(status: int, body: bytes) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/readyz"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


READY = b'{"status": "ready", "checks": {"database": {"status": "ok", "detail": "writable"}}}'


@pytest.mark.parametrize(
    ("status", "body", "code", "out"),
    [
        (200, READY, 0, "ready\n  database: ok, writable\n"),
        (503, b'{"status": "not_ready", "checks": {}}', 1, "not_ready\n"),
        (200, b"<html>", 1, ""),
    ],
)
def test_the_health_check_is_what_the_api_says(
    status: int,
    body: bytes,
    code: int,
    out: str,
    orpheus: Orpheus,
    api: Callable[[int, bytes], int],
) -> None:
    port = ("--set", f"api.port={api(status, body)}")
    assert orpheus("healthcheck", *port)[:2] == (code, out)


@pytest.mark.parametrize("port", [0, 1])
def test_the_health_check_fails_where_nobody_listens(orpheus: Orpheus, port: int) -> None:
    code, out, err = orpheus("healthcheck", "--set", f"api.port={port}")
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_the_table_of_an_outbox_is_printed(orpheus: Orpheus) -> None:
    code, out, _ = orpheus("outbox", "schema", "sqlite", "--table", "jobs")
    assert code == 0
    database = apsw.Connection(":memory:")
    database.execute(out)
    database.execute("INSERT INTO jobs (type) VALUES ('x')")
    assert database.execute("SELECT id, payload FROM jobs").fetchall() == [(1, "{}")]
