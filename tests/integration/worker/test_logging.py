"""An application configures logging as it likes: a worker and its jobs go on logging."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Status

Start = Callable[..., Any]
Wait = Callable[..., Any]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_a_job_logs_is_in_its_log_also_once_the_application_configures_logging(
    database: Any, start_alone: Start, wait_for: Wait, concurrency: int
) -> None:
    settings = {
        "jobs.modules": '["logging_jobs"]',
        "pools.default.concurrency": str(concurrency),
    }
    worker = start_alone(settings)
    job_id = database.submit("structured")
    [line] = wait_for(lambda: database.store.logs.after(job_id, 0, 100), "its log to be stored")
    assert "structured" in line.line
    assert "number=7" in line.line
    assert "structured" not in worker.log()
    before = database.submit("recording", max_retries=0)
    assert database.wait(before).status is Status.FAILED
    assert database.wait(database.submit("configuring")).status is Status.DONE
    after = database.submit("recording", max_retries=0)
    assert database.wait(after).status is Status.FAILED
    for job_id in (before, after):
        lines = wait_for(partial(database.store.logs.after, job_id, 0, 100), "its log to be stored")
        logged = [(one.level, one.line, one.fields) for one in lines]
        assert logged == [("info", "recorded", '{"logger":"root"}')]

    def events() -> list[str]:
        return [json.loads(line)["event"] for line in worker.log().splitlines()]

    wait_for(lambda: events().count("job_not_done") == 2, "both failures in the worker's log")
    assert "worker_ready" in events()
    assert events().count("recorded") == 2
