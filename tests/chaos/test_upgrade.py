"""An upgrade of the one host of a SQLite file, on which a worker of the version before goes on."""

import json
from collections.abc import Callable
from pathlib import Path

import apsw

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import open_store
from tests.chaos.harness import Orpheus
from tests.machine import slowness
from tests.next_version import make_next_version


def test_the_next_version_starts_while_a_worker_of_the_one_before_runs_a_job(
    start: Callable[..., Orpheus], tmp_path: Path
) -> None:
    orpheus = start()
    assert orpheus.stop() == 0
    payload = {"request": 0, "index": 0, "does": "sleep", "seconds": 3 * slowness()}
    store = open_store(f"sqlite:///{orpheus.database}")
    running = store.jobs.submit(NewJob("asked", json.dumps(payload))).job.id
    new_program, orpheus.program = orpheus.program, ("orpheus.worker",)
    worker = orpheus.spawn()
    orpheus.until_entered(running)
    orpheus.program, orpheus.root = new_program, make_next_version(tmp_path)
    orpheus.start()
    orpheus.until_ready()
    assert store.jobs.get(running).status is Status.IN_PROGRESS
    assert orpheus.until_ended(running)["result"]["pid"] == worker.pid
    jobs = [orpheus.until_ended(orpheus.submit("sleep", seconds=0.05)) for _ in range(20)]
    assert {job["status"] for job in jobs} == {"done"}
    assert worker.pid in {job["result"]["pid"] for job in jobs}
    assert apsw.Connection(str(orpheus.database)).pragma("user_version") == 1000101
    store.close()
    worker.terminate()
    assert worker.wait(30) == 0
