"""A batch at its bounds, while jobs run with short leases."""

from collections.abc import Callable
from typing import Any

SETTINGS = (
    "pools.default.workers=2",
    "leases.ttl=10s",
    "leases.renew_every=1s",
    "heartbeats.interval=1s",
    "heartbeats.timeout=5s",
)
JOBS = 1_000
WIDTH = 100


def item(number: int) -> dict[str, Any]:
    """A job that waits for the hundred before it."""
    before = range(max(0, number - WIDTH), number)
    refs = [f"r{one}" for one in before]
    return {"type": "sleep", "payload": {"seconds": 0}, "ref": f"r{number}", "depends_on": refs}


def test_a_full_batch_takes_no_running_job_its_lease(start_system: Callable[..., Any]) -> None:
    system = start_system(*SETTINGS)
    system.wait_until_ready()
    running = [system.submit("sleep", {"seconds": 8}) for _ in range(2)]
    plain = [{"type": "sum_range", "payload": {"n": 3}}] * 9_000
    first = system.submit("sum_range", {"n": 3}, delay="1h")
    for jobs in (
        [item(n) for n in range(JOBS)],
        plain,
        [{**plain[0], "depends_on": [first]}] * JOBS,
    ):
        answer = system.client.post("/jobs/batch", json={"jobs": jobs})
        assert answer.status_code == 201, answer.text
    system.client.post(f"/jobs/{first}/cancel")
    for job_id in running:
        job = system.wait_for_job(job_id)
        assert (job["status"], [one["outcome"] for one in job["attempts"]]) == (
            "done",
            ["succeeded"],
        )
    assert {one["restarts"] for one in system.workers().values()} == {0}
    assert system.stop() == 0
