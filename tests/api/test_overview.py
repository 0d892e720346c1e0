"""Workers, types, queues, figures, health and documentation."""

import re
import time
from typing import Any

import pytest

from orpheus.shared.domain.processes import LastExit, Role, SlotState
from tests.machine import slowness


def test_a_worker_alone_is_shown_by_its_heartbeat(api: Any) -> None:
    api.process("default@101")
    api.process("default@7", last_beat_mono_ms=api.store.clock.monotonic_ms() - 16_000)
    api.process("default@8", boot_id="another boot")

    (worker,) = api.client.get("/workers").json()["items"]
    assert (worker["slot"], worker["pool"], worker["state"]) == ("default@101", "default", "ready")
    assert worker["jobs_done"] == 4
    age_s, uptime_s = worker["heartbeat_age_s"], worker["uptime_s"]
    assert 0 <= age_s < 5 * slowness() and 5 <= uptime_s < 10 * slowness()


def test_under_a_supervisor_every_slot_is_shown_with_what_it_does(start: Any) -> None:
    api = start(supervised=True)
    last_exit = LastExit(
        1_800_000_000_000,
        "killed for memory",
        "SIGKILL",
        None,
        None,
        uptime_s=61.26,
        out_of_memory=True,
        failed=True,
        output="the last words",
        jobs=(12,),
    )
    earlier = LastExit(1_799_999_000_000, "exit code 3", None, 3, "Traceback …", uptime_s=0.5)
    api.store.processes.put_slots(
        [
            api.slot("supervisor", SlotState.READY, Role.SUPERVISOR),
            api.slot("api", SlotState.READY, Role.API),
            api.slot(
                "default-1",
                SlotState.READY,
                incarnation="life-1",
                restarts=2,
                exits=(last_exit, earlier),
            ),
            api.slot("default-2", SlotState.BACKOFF, pid=None, incarnation=None, reason="crashed"),
        ]
    )
    api.process("default-1", incarnation="life-1")
    job_id = api.submit()
    api.submit()
    api.lease(2)

    workers = api.client.get("/workers").json()["items"]
    assert [w["slot"] for w in workers] == ["supervisor", "api", "default-1", "default-2"]
    assert workers[0]["pool"] is None
    assert workers[2]["job"]["id"] == job_id  # the one that was leased ahead is not it
    assert workers[2]["last_exit"] == {
        "at": "2027-01-15T08:00:00.000000Z",
        "reason": "killed for memory",
        "signal": "SIGKILL",
        "code": None,
        "evidence": None,
        "uptime_s": 61.3,
        "out_of_memory": True,
        "failed": True,
        "output": "the last words",
        "jobs": [12],
    }
    assert [one["reason"] for one in workers[2]["recent_exits"]] == [
        "killed for memory",
        "exit code 3",
    ]
    assert workers[2]["rss_bytes"] == 30_000_000
    assert (workers[3]["state"], workers[3]["uptime_s"]) == ("backoff", None)


def test_health_needs_no_database(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.services.readers, "read", None)

    assert api.client.get("/healthz").json() == {"status": "ok"}


def test_it_is_ready_once_every_slot_has_been_ready(start: Any) -> None:
    api = start(supervised=True)
    put = api.store.processes.put_slots
    one_is_starting = [
        api.slot("default-1", SlotState.READY),
        api.slot("default-2", SlotState.STARTING),
    ]

    def status() -> tuple[int, str]:
        answer = api.client.get("/readyz")
        return answer.status_code, answer.json()["status"]

    put(one_is_starting)
    assert status() == (503, "not_ready")
    put([api.slot("default-1", SlotState.READY), api.slot("default-2", SlotState.READY)])
    assert status() == (200, "ready")
    put(one_is_starting)
    assert status() == (200, "degraded")
    put(
        [
            api.slot("default-1", SlotState.READY, degraded=True),
            api.slot("default-2", SlotState.READY),
        ]
    )
    assert status() == (200, "degraded")
    put([api.slot("default-1", SlotState.BACKOFF), api.slot("default-2", SlotState.FATAL)])
    assert status() == (503, "not_ready")


def test_it_says_soon_that_it_is_not_ready_while_another_holds_the_write_lock(api: Any) -> None:
    api.process("default@101")
    with api.store.write(durable=False):
        began = time.monotonic()
        answer = api.client.get("/readyz")
        took_s = time.monotonic() - began

    assert answer.status_code == 503 and took_s < 1 * slowness()
    check = answer.json()["checks"]["database"]
    assert check["status"] == "failed" and "write lock" in check["detail"]
    assert api.client.get("/readyz").status_code == 200


def test_a_new_type_is_known_at_once(api: Any) -> None:
    from msgspec.structs import replace

    api.submit()
    rows = api.store.types.all()
    api.store.types.replace([*rows, replace(rows[0], name="new")])

    assert api.client.post("/jobs", json={"type": "new"}).status_code == 201


def test_queues_and_figures_count_exactly(api: Any) -> None:
    api.submit(queue="mail", priority=-1)
    api.submit()
    api.submit()
    api.run_one()

    queues = {q["name"]: q for q in api.client.get("/queues").json()["items"]}
    stats = api.client.get("/stats").json()
    assert queues["mail"]["counts"]["pending"] == 1
    assert queues["mail"]["oldest_due_s"] >= 0
    assert stats["counts"] == {
        "blocked": 0, "pending": 2, "in_progress": 0, "done": 1, "failed": 0, "cancelled": 0
    }  # fmt: skip
    lately, since = stats["throughput"]["last_5_min"], stats["throughput"]["by_minute"][-6]["at"]
    assert lately == {"done": 1, "failed": 0, "cancelled": 0, "since": since}
    assert 1 / 6 < stats["throughput"]["ended_per_minute"] <= 1 / 5
    assert stats["wait_s"]["p50"] >= 0 and stats["run_s"]["p95"] >= 0
    assert stats["oldest_pending_queue"] in queues and stats["database_bytes"] > 0


def test_the_documentation_works_without_the_internet(api: Any) -> None:
    page = api.client.get("/docs")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert len(named) == 4
    for path in named:
        assert path.startswith("docs/")  # below any prefix
        assert api.client.get(f"/{path}").status_code == 200
