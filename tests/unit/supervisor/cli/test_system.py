"""`orpheus workers`, `types`, `status` and `healthcheck`."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.storage import Store, TypeRow

Orpheus = Callable[..., Any]
WORKER = Holder("default-1", "incarnation", 7)


def test_types_are_listed_with_the_defaults_in_force(orpheus: Orpheus, store: Store) -> None:
    out = orpheus("types").out
    assert "n text?" in out
    items = orpheus("types", "--json", "--set", "jobs.max_retries=9").json["items"]
    assert [item["defaults"]["max_retries"] for item in items] == [9, 5]


def test_jobs_of_a_queue_that_no_pool_serves_need_a_person(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("words", queue="mail"))

    def concerns(*options: str) -> list[str]:
        found = orpheus("status", "--json", *options).json["verdict"]["concerns"]
        return [concern["text"] for concern in found]

    (sentence,) = set(concerns("--set", "pools.default.queues=['a']")) - set(concerns())
    assert sentence == "No pool serves queue mail, and 1 job waits in it."


def test_workers_of_a_supervisor_that_is_gone_are_not_shown(orpheus: Orpheus, store: Store) -> None:
    record = SlotRecord(
        host="host-1",
        slot="default-1",
        pool="default",
        role=Role.WORKER,
        state=SlotState.READY,
        degraded=False,
        reason="",
        pid=1,
        incarnation="x",
        cpu_percent=None,
        rss_bytes=None,
        started_at_ms=0,
        restarts=0,
        exits=(),
    )
    store.processes.put_slots([record])
    assert orpheus("workers", "--json").json == {"items": []}
    assert orpheus("workers").code == 0


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


def test_what_types_cost_is_a_row_for_each(orpheus: Orpheus, store: Store) -> None:
    store.types.replace([TypeRow("resize", "{}", None, None, None, "")])
    for name in ("resize", "of-no-module"):
        store.jobs.submit(NewJob(name))
        (lease,) = store.leases.lease(Holder("default-1", "life-1", 7), ("*",), 1, 30_000)
        finished = Finished(lease, Ending.SUCCEEDED, "null", cpu_s=1.5, max_rss_bytes=40 * 2**20)
        store.leases.finish([finished])
    head, other, resize = orpheus("types", "--stats").out.splitlines()
    assert head.startswith("TYPE    SUCCEEDED  OTHERWISE  RUN P50  RUN P95  WAIT P50")
    assert other.startswith("_other  1          0 ")
    assert resize.startswith("resize  1          0 ")
    assert resize.endswith("1.5 s    1.5 s    1.5 s       40.0 MiB")
    (_, item) = orpheus("types", "--stats", "--json").json["items"]
    assert (item["name"], item["ended"], item["cpu_total_s"]) == ("resize", {"succeeded": 1}, 1.5)
