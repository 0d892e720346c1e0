"""Several jobs at once in one worker: their overlap, logs, ends, and what stops one of them."""

import json
import re
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from tests.machine import slowness

Start = Callable[..., Any]
BESIDE = {"jobs.modules": '["orpheus.worker.handlers", "concurrent_jobs"]'}


@pytest.fixture
def start(start_alone: Start) -> Start:
    """Starts a ready worker that runs so many jobs at once."""

    def start(concurrency: int, settings: dict[str, str] | None = None) -> Any:
        own = {**BESIDE, "pools.default.concurrency": str(concurrency), **(settings or {})}
        return start_alone(own).wait_until_ready()

    return start


@pytest.fixture(scope="module")
def shared_beside(shared_workers: Any) -> Any:
    """A worker of eight places, for the tests that leave it as it was."""
    own = {**BESIDE, "pools.default.concurrency": "8"}
    return shared_workers.alone(own).wait_until_ready()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The effect log."""
    return tmp_path / "effects"


def effects(file: Path, what: str) -> list[dict[str, Any]]:
    """The lines of that kind."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [told for line in lines if (told := json.loads(line))["what"] == what]


def most_at_once(file: Path) -> int:
    """How many ran at the same moment at most."""
    moments = [(one["at_ns"], 1) for one in effects(file, "begin")]
    moments += [(one["at_ns"], -1) for one in effects(file, "end")]
    running, most = 0, 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


def submit_many(database: Any, times: int, job_type: str, **payload: Any) -> list[int]:
    jobs = [NewJob(job_type, json.dumps(payload))] * times
    ids: list[int] = database.store.jobs.submit_many(jobs)
    return ids


@pytest.mark.parametrize(
    ("job_type", "n", "places"), [("awaiting_beside", 100, 50), ("sleeping_beside", 40, 20)]
)
def test_as_many_jobs_run_at_once_as_there_are_places_and_each_once(
    database: Any, start: Start, file: Path, job_type: str, n: int, places: int
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (520, hard))
    try:
        worker = start(places)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limit = re.search(r"Max open files +(\d+)", Path(f"/proc/{worker.pid}/limits").read_text())
    assert limit is not None and int(limit[1]) == max(520, 192 + 8 * places)
    seconds = 0.2 * slowness()  # none is to end before the last place is taken
    ids = submit_many(database, n, job_type, seconds=seconds, file=str(file))
    for job_id in ids:
        job = database.wait(job_id)
        assert (job.status, json.loads(job.result)) == (Status.DONE, worker.pid)
        assert database.outcomes(job_id) == ["succeeded"]
    assert sorted(one["job"] for one in effects(file, "begin")) == ids
    assert places - 2 <= most_at_once(file) <= places
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_jobs_that_wait_behind_long_ones_are_left_to_other_workers(
    database: Any, start: Start, file: Path
) -> None:
    start(2)
    for job_id in submit_many(database, 50, "sum_range", n=3):  # now they are known to be short
        database.wait(job_id)
    go_on = file.with_name("go-on")
    payload = {"wait_for": str(go_on), "file": str(file)}
    jobs = [NewJob("until_there", json.dumps(payload))] * 2
    ids = database.store.jobs.submit_many([*jobs, *[NewJob("sum_range", '{"n": 3}')] * 20])
    for job_id in ids[:2]:
        database.wait(job_id, Status.IN_PROGRESS)
    start(2)
    for job_id in ids[2:]:
        assert database.wait(job_id).status is Status.DONE
    go_on.touch()
    for job_id in ids:
        assert set(database.outcomes(database.wait(job_id).id)) == {"succeeded"}


def test_a_timeout_and_a_cancel_stop_one_job_and_no_other(
    database: Any, start: Start, wait_for: Callable[..., Any], tmp_path: Path
) -> None:
    start(4)
    for job_type in ("awaiting_beside", "stepping"):  # after this one, the worker is replaced
        a_timeout_and_a_cancel_stop_one_job(database, wait_for, tmp_path / job_type, job_type)


def a_timeout_and_a_cancel_stop_one_job(
    database: Any, wait_for: Callable[..., Any], file: Path, job_type: str
) -> None:
    payload = {"file": str(file)} | ({} if job_type == "stepping" else {"seconds": 600})
    late = database.submit(job_type, json.dumps(payload), timeout_s=0.3, max_retries=0)
    cancelled = database.submit(job_type, json.dumps(payload))
    other = database.submit("sleeping_beside", json.dumps({"seconds": 2.0, "file": str(file)}))
    wait_for(lambda: len(effects(file, "begin")) == 3, "all of them to run")
    database.store.jobs.cancel(cancelled)
    job = database.wait(late)
    assert (job.status, job.error.type) == (Status.FAILED, "JobTimeout")
    assert job_type != "stepping" or "concurrent_jobs.py" in job.error.traceback
    assert database.outcomes(late) == ["timed_out"]
    assert database.wait(cancelled).status is Status.CANCELLED
    assert database.outcomes(cancelled) == ["cancelled"]
    assert database.wait(other).status is Status.DONE
    assert database.outcomes(other) == ["succeeded"]


def test_what_ignores_its_timeout_ends_with_the_worker_and_the_others_are_released(
    database: Any, start: Start, wait_for: Callable[..., Any], file: Path
) -> None:
    settings = {"jobs.cancel_grace": "200ms"}
    worker = start(3, settings)
    go_on = file.with_name("go-on")
    deaf = database.submit("deaf_beside", json.dumps({"file": str(file)}))
    payload = json.dumps({"wait_for": str(go_on), "file": str(file)})
    others = [database.submit(f"until_there{end}", payload) for end in ("", "_on_the_loop")]
    wait_for(lambda: len(effects(file, "begin")) == 3, "all of them to run")
    database.store.jobs.cancel(deaf)
    assert worker.wait() == 4
    assert database.store.jobs.get(deaf).status is Status.CANCELLED
    assert database.outcomes(deaf) == ["cancelled"]
    go_on.touch()
    start(3)
    for job_id in others:
        assert database.wait(job_id).status is Status.DONE
        assert database.outcomes(job_id) == ["released", "succeeded"]


def test_a_draining_worker_finishes_its_jobs_and_a_stopping_one_releases_them(
    database: Any, start_supervised: Start, wait_for: Callable[..., Any], file: Path
) -> None:
    go_on = file.with_name("go-on")
    worker = start_supervised(modules=("concurrent_jobs",), concurrency=3).wait_until_ready()
    names = ["until_there", "until_there_on_the_loop", "until_there"]
    payload = json.dumps({"wait_for": str(go_on), "file": str(file)})
    ids = [database.submit(name, payload) for name in names]
    wait_for(lambda: len(effects(file, "begin")) == 3, "all of them to run")
    worker.channel.send({"do": "drain"})
    wait_for(lambda: "worker_draining" in worker.log(), "it to be told")
    left = database.submit("until_there", payload)
    worker.channel.send({"do": "stop", "within_s": 0.3})
    assert worker.wait() == 4
    assert [database.outcomes(one) for one in ids] == [["released"]] * 3
    assert database.outcomes(left) == []
    go_on.touch()
    second = start_supervised(modules=("concurrent_jobs",), concurrency=3).wait_until_ready()
    assert all(database.wait(one).status is Status.DONE for one in [*ids, left])
    second.channel.send({"do": "drain"})
    assert second.wait() == 0


@pytest.mark.parametrize("job_type", ["forking_beside", "forking_on_the_loop"])
def test_a_forked_child_ends_where_it_leaves_the_handler(
    shared_database: Any, shared_beside: Any, file: Path, job_type: str
) -> None:
    others = submit_many(shared_database, 4, "awaiting_beside", seconds=1.0, file=str(file))
    codes = {"return": 0, "raise": 1, "exit": 7}
    if job_type == "forking_on_the_loop":
        codes["await"] = 1  # the loop is the parent's
    jobs = [NewJob(job_type, json.dumps({"how": how})) for how in codes]
    ids = shared_database.store.jobs.submit_many(jobs)
    for job_id, code in zip(ids, codes.values(), strict=True):
        assert json.loads(shared_database.wait(job_id).result) == code
    for job_id in others:
        assert shared_database.wait(job_id).status is Status.DONE
    assert sorted(one["job"] for one in effects(file, "end")) == others, "each once"
