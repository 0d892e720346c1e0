"""`orpheus healthcheck`."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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
    ("status", "body", "code"),
    [(200, READY, 0), (503, b'{"status": "not_ready", "checks": {}}', 1), (200, b"<html>", 1)],
)
def test_the_health_check_is_what_the_api_says(
    status: int, body: bytes, code: int, orpheus: Orpheus, api: Callable[[int, bytes], int]
) -> None:
    assert orpheus("healthcheck", "--set", f"api.port={api(status, body)}").code == code


def test_the_health_check_fails_where_nobody_listens(orpheus: Orpheus) -> None:
    code, out, err = orpheus("healthcheck", "--set", "api.port=1")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert orpheus("healthcheck", "--set", "api.port=0").code == 1
