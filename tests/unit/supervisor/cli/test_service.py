"""`orpheus healthcheck`, and `outbox`, which ask for no database."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.shared.outbox.table import create_table

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


SHOPS = """
outboxes = [
    {name = "shop", url = "sqlite:///shop.db", table = "shop_jobs"},
    {name = "mail", url = "postgresql://mail.example/mail", table = "mail.jobs"},
]
"""


@pytest.mark.parametrize(
    ("database", "options", "table"),
    [
        ("sqlite", ["--config", "own.toml"], "shop_jobs"),
        ("postgresql", ["--config", "own.toml"], "mail.jobs"),
        ("sqlite", ["--config", "own.toml", "--table", "other"], "other"),
        ("sqlite", [], "orpheus_outbox"),
    ],
)
def test_the_table_has_the_name_that_the_configuration_gives_it(
    orpheus: Orpheus, tmp_path: Path, database: str, options: list[str], table: str
) -> None:
    (tmp_path / "own.toml").write_text(SHOPS)
    answer = orpheus("outbox", "schema", database, *options)
    assert answer == (0, create_table(database, table), "")
    found = orpheus("outbox", "schema", database, "--json", *options).json
    assert found == {"database": database, "table": table, "sql": answer.out}


def test_a_table_must_be_chosen_among_several_and_have_a_name(
    orpheus: Orpheus, tmp_path: Path
) -> None:
    second = '{name = "crm", url = "sqlite:///crm.db", table = "crm_jobs"},\n]'
    (tmp_path / "own.toml").write_text(SHOPS.replace("]", second))
    code, _, err = orpheus("outbox", "schema", "sqlite", "--config", "own.toml")
    assert code == 2
    assert "choose --table: shop_jobs (shop), crm_jobs (crm)" in err
    assert orpheus("outbox", "schema", "sqlite", "--table", "a b").code == 2
