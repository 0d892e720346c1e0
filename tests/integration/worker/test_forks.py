"""Handlers that fork: a child never goes on as a second worker, and cannot hurt the first."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, Status

Start = Callable[..., Any]
CODES = {"return": 0, "error": 1, "interrupt": 1, "exit": 7, "exit with a message": 1}


@pytest.mark.parametrize("job_type", ["forking_and_leaving", "forking_in_a_coroutine"])
@pytest.mark.parametrize("how", list(CODES))
def test_a_child_that_leaves_the_handler_ends_there(
    shared_database: Any, shared_worker: Any, job_type: str, how: str
) -> None:
    job = shared_database.wait(shared_database.submit(job_type, json.dumps({"how": how})))
    assert (job.status, job.result) == (Status.DONE, str(CODES[how]))
    assert shared_worker.process.poll() is None


def test_jobs_that_were_prefetched_behind_a_forking_one_run_once_and_in_the_worker(
    database: Any, start_supervised: Start, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    forking = NewJob("forking_and_leaving", '{"how": "return"}')
    noting = NewJob("noting_its_process", json.dumps({"file": str(told)}))
    ids = database.store.jobs.submit_many([noting] * 50 + [forking] + [noting] * 50)
    worker = start_supervised(ahead_s=2.0).wait_until_ready()
    for job_id in ids:
        assert database.wait(job_id).status is Status.DONE
    lines = [line.split() for line in told.read_text().splitlines()]
    assert sorted(int(job_id) for job_id, _ in lines) == [*ids[:50], *ids[51:]]
    assert {int(pid) for _, pid in lines} == {worker.pid}


def test_a_child_that_is_forked_in_a_thread_ends_with_the_thread(
    shared_database: Any, shared_worker: Any
) -> None:
    assert shared_database.wait(shared_database.submit("forking_in_a_thread")).result == "0"
    assert shared_database.wait(shared_database.submit("nap")).status is Status.DONE


def test_the_context_says_what_it_cannot_do_in_a_child_and_the_child_shares_no_file_of_the_worker(
    shared_database: Any, shared_worker: Any, tmp_path: Path
) -> None:
    payload = json.dumps({"file": str(tmp_path / "told")})
    job_id = shared_database.submit("using_the_context_in_a_child", payload)
    said = json.loads(shared_database.wait(job_id).result)
    refused = [line for line in said if "only in the process" in line]
    assert [line.split()[0] for line in refused] == ["ctx.results", "ctx.enqueue", "ctx.progress"]
    name = str(shared_database.file.parent)
    shared = [line for line in said if line.startswith(name) and not line.endswith(".out")]
    assert shared == [], "descriptors"


def test_the_control_channel_is_not_shared_with_a_child(
    database: Any, start_supervised: Start, tmp_path: Path
) -> None:
    start_supervised().wait_until_ready()
    payload = json.dumps({"file": str(tmp_path / "told")})
    said = json.loads(
        database.wait(database.submit("using_the_context_in_a_child", payload)).result
    )
    sockets = [line for line in said if line.startswith("socket:")]
    assert len(sockets) <= 2, "those that carry signals inside a process"
