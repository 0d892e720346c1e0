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
from orpheus.supervisor.cli import system

Orpheus = Callable[..., Any]
WORKER = Holder("default-1", "incarnation", 7)


def test_types_are_listed_with_the_defaults_in_force(orpheus: Orpheus, store: Store) -> None:
    out = orpheus("types").out
    assert "n text?" in out
    items = orpheus("types", "--json", "--set", "jobs.max_retries=9").json["items"]
    assert [item["defaults"]["max_retries"] for item in items] == [9, 5]


def slot(name: str, state: SlotState, *, degraded: bool = False) -> dict[str, Any]:
    return {
        "host": "host-1",
        "slot": name,
        "role": "api" if name == "api" else "worker",
        "pool": None if name == "api" else "default",
        "state": state,
        "degraded": degraded,
        "reason": "because",
    }


@pytest.mark.parametrize(
    ("items", "sentences"),
    [
        ([], ["nothing runs: start it with `orpheus`"]),
        ([slot("api", SlotState.READY), slot("default-1", SlotState.READY)], []),
        (
            [slot("default-1", SlotState.READY), slot("default-2", SlotState.BACKOFF)],
            [],  # the supervisor is at it
        ),
        (
            [slot("default-1", SlotState.READY), slot("default-2", SlotState.FATAL)],
            ["default-2 is fatal: because (once it is mended: orpheus restart default-2)"],
        ),
        (
            [slot("api", SlotState.STUCK), slot("default-1", SlotState.READY, degraded=True)],
            [
                "api is stuck: because (once it is mended: orpheus restart api)",
                "default-1 is degraded: because",
            ],
        ),
        ([slot("api", SlotState.READY)], ["no worker is ready"]),
    ],
)
def test_what_needs_a_person_is_told(items: list[dict[str, Any]], sentences: list[str]) -> None:
    assert list(system._trouble(items)) == sentences


def test_status_exits_1_while_nothing_runs(orpheus: Orpheus, store: Store) -> None:
    code, out, _ = orpheus("status")
    assert code == 1
    assert "! nothing runs" in out
    assert orpheus("status", "--json").json["needs_attention"]


def test_jobs_of_a_queue_that_no_pool_serves_need_a_person(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("words", queue="mail"))
    served = orpheus("status", "--json").json["needs_attention"]
    unserved = orpheus("status", "--json", "--set", "pools.default.queues=['a']")
    (sentence,) = set(unserved.json["needs_attention"]) - set(served)
    assert "'mail', a queue that no pool serves" in sentence


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
