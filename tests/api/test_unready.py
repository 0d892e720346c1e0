"""Why no worker that would run the jobs of a queue is ready: of the queue, and of a job of it."""

import re
from typing import Any

import pytest

from orpheus.shared.domain.processes import Order, Role, SlotState


@pytest.fixture
def waiting(api: Any) -> Any:
    """The application with a job, beside a supervisor with one worker."""
    api.process("supervisor", Role.SUPERVISOR)
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY)])
    api.job = api.submit(queue="mail")
    return api


def told(api: Any) -> tuple[Any, str]:
    """What is told of the queue, and of the job, as if it were told at once."""
    (queue,) = api.client.get("/queues?name=mail").json()["items"]
    assert queue["none_starts"] == ("no worker is ready" if queue["unready"] else None)
    reasons = api.client.get(f"/jobs/{api.job}/why").json()["reasons"]
    job = "".join(one["text"] for one in reasons)
    return queue["unready"] and at_once(queue["unready"]), at_once(job)


def at_once(text: str) -> str:
    return re.sub(r"\d+ s ago", "just now", text)


def test_a_queue_whose_pool_was_scaled_to_0_says_by_whom_when_and_why(waiting: Any) -> None:
    assert told(waiting) == (None, "")
    body = {"workers": 0, "reason": "GPU host is rebooted"}
    assert waiting.client.post("/pools/default/scale", json=body).status_code == 202
    away = waiting.slot("default-1", SlotState.DRAINING, order=Order.SCALED_AWAY)
    waiting.store.processes.put_slots([away])
    by = "by api:127.0.0.1 just now (GPU host is rebooted)"
    assert told(waiting)[0] == f"default-1 is scaled away {by}"
    waiting.store.processes.remove_slots("host-1", ["default-1"])
    queue, job = told(waiting)
    assert queue == f"pool default is scaled to 0 {by}"
    assert job == f"no worker of pool default is ready: scaled to 0 {by}"


def test_a_queue_whose_worker_was_drained_says_by_whom_when_and_why(waiting: Any) -> None:
    body = {"reason": "memtest of the GPU"}
    assert waiting.client.post("/workers/default-1/drain", json=body).status_code == 202
    down = waiting.slot("default-1", SlotState.DOWN, order=Order.DRAINED)
    waiting.store.processes.put_slots([down])
    queue, job = told(waiting)
    assert queue == "default-1 is drained by api:127.0.0.1 just now (memtest of the GPU)"
    assert job == f"no worker of pool default is ready: {queue}"


def test_a_queue_whose_workers_crash_says_how_and_when_they_start(waiting: Any) -> None:
    soon_ms = waiting.store.clock.wall_ms() + 40_400
    slots = [
        waiting.slot(f"default-{n}", state, reason="exited with code 7", until_ms=soon_ms)
        for n, state in enumerate((SlotState.BACKOFF, SlotState.FATAL, SlotState.BACKOFF), 1)
    ]
    waiting.store.processes.put_slots(slots)
    first, second, rest = told(waiting)[0].split("; ")
    assert first.startswith("default-1 is in backoff: exited with code 7, starts in ")
    assert second.startswith("default-2 is fatal: exited with code 7, starts in ")
    assert rest == "1 more slot is not ready"


def test_a_queue_whose_pool_has_no_workers_says_so(waiting: Any) -> None:
    waiting.store.processes.remove_slots("host-1", ["default-1"])
    assert told(waiting)[0] == "pool default has no workers"
