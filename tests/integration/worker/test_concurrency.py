"""Several jobs at once in one worker: their overlap, logs, ends, and what stops one of them."""

import json
import re
import resource
import signal
import time
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


def test_an_attempt_ends_when_its_code_returns_not_when_that_is_stored(
    database: Any, start: Start, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    start(2)
    seconds = 0.3 * slowness()  # none is to end before nothing can be stored
    for job_type in ("awaiting_beside", "sleeping_beside"):
        file = tmp_path / job_type
        ids = submit_many(database, 2, job_type, seconds=seconds, file=str(file))
        wait_for(lambda file=file: len(effects(file, "begin")) == 2, "both to run")
        with database.store.write(durable=False):
            wait_for(lambda file=file: len(effects(file, "end")) == 2, "both to return")
            ended_s = time.monotonic()
            wait_for(lambda s=ended_s: time.monotonic() > s + 0.05, "more than a moment to pass")
        jobs = [database.wait(job_id) for job_id in ids]
        stored_ms = [database.store.events.of_job(job_id, 10)[-1].at_ms for job_id in ids]
        waited_ms = [at - job.finished_at_ms for at, job in zip(stored_ms, jobs, strict=True)]
        assert min(waited_ms) >= 40
        assert all(job.finished_at_ms - job.started_at_ms >= seconds * 1000 - 1 for job in jobs)


def test_a_job_for_which_the_system_has_no_thread_is_released_and_costs_nobody_an_attempt(
    database: Any, start: Start, file: Path, wait_for: Callable[..., Any]
) -> None:
    worker = start(4)
    (greedy,) = submit_many(database, 1, "leaving_no_room_for_a_thread", file=str(file))
    wait_for(lambda: effects(file, "begin"), "the limit")
    others = submit_many(database, 2, "sleeping_beside", seconds=0.01, file=str(file))
    wait_for(lambda: any(database.outcomes(one) for one in others), "a job that was released")
    file.with_name(f"{file.name}.go").touch()
    for job_id in (greedy, *others):
        assert database.wait(job_id).status is Status.DONE
    assert database.outcomes(greedy) == ["succeeded"]
    outcomes = {outcome for one in others for outcome in database.outcomes(one)}
    assert outcomes == {"released", "succeeded"}
    assert "no_thread_for_job" in worker.log()


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


@pytest.mark.parametrize(
    ("job_type", "timeout_s", "reason"),
    [
        ("stepping", 0.2, "a timeout was raised"),
        ("keeping_a_thread", 2.0, "have outlived their jobs"),  # its thread must have begun
    ],
)
def test_a_worker_in_which_a_timeout_may_have_left_something_is_replaced(
    database: Any,
    start_supervised: Start,
    file: Path,
    job_type: str,
    timeout_s: float,
    reason: str,
) -> None:
    worker = start_supervised(
        modules=("concurrent_jobs",), concurrency=2, beat_interval_s=0.2
    ).wait_until_ready()
    payload = json.dumps({"file": str(file)})
    late = database.submit(job_type, payload, timeout_s=timeout_s, max_retries=0)
    assert database.wait(late).status is Status.FAILED
    assert worker.wait() == 0
    assert reason in worker.says("recycle")["reason"]


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


def test_a_handler_that_blocks_the_loop_is_named_and_nothing_happens_to_the_others(
    database: Any, start: Start, wait_for: Callable[..., Any], file: Path
) -> None:
    worker = start(4, {"jobs.cancel_grace": "300ms"})
    cancelled = database.submit("awaiting_beside", json.dumps({"seconds": 600, "file": str(file)}))
    other = database.submit("awaiting_beside", json.dumps({"seconds": 3.0, "file": str(file)}))
    wait_for(lambda: len(effects(file, "begin")) == 2, "the others to run")
    expires = "SELECT lease_expires_mono_ms FROM jobs WHERE id = ?"
    seconds = min(5.0, 2.5 * slowness())  # it is to block still when the lease was renewed
    blocking = database.submit("blocking_the_loop", json.dumps({"seconds": seconds}))
    wait_for(lambda: "event_loop_blocked" in worker.log(), "it to be noticed")
    database.store.jobs.cancel(cancelled)  # it cannot stop before the loop is free again
    [(expires_ms,)] = database.store._database.all(expires, other)
    wait_for(lambda: database.store._database.all(expires, other)[0][0] > expires_ms, "a renewal")
    assert database.store.jobs.get(blocking).status is Status.IN_PROGRESS, "it still blocks"
    assert database.wait(blocking).status is Status.DONE
    assert database.wait(other).status is Status.DONE
    outcomes = [database.outcomes(one) for one in (blocking, other)]
    assert outcomes == [["succeeded"]] * 2
    assert database.wait(cancelled).error is None
    assert database.outcomes(cancelled) == ["cancelled"]
    [told] = [one for one in worker.log().splitlines() if "event_loop_blocked" in one]
    told = json.loads(told)
    assert (told["job"], told["type"]) == (blocking, "blocking_the_loop")
    assert "concurrent_jobs.py" in told["where"]


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
