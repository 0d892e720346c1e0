"""`orpheus errors`."""

import json
import re
from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.jobs import Holder, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store

Orpheus = Callable[..., Any]


def fail(store: Store, error: str) -> None:
    store.jobs.submit(NewJob("resize"))
    (lease,) = store.leases.lease(Holder("default-1", "life-1", 7), ("*",), 1, 30_000)
    trace = '  File "/app/jobs.py", line 12, in resize\n'
    failed = Finished(lease, Ending.FAILED_PERMANENTLY, error=JobError(error, "why", trace))
    store.leases.finish([failed])


def test_failed_jobs_are_a_row_for_each_error(orpheus: Orpheus, store: Store) -> None:
    for error in ("KeyError", "Bad\x1b[31m", "KeyError"):
        fail(store, error)
    answer = orpheus("errors")
    assert answer.code == 0
    head, first, second = answer.out.splitlines()
    assert re.split("  +", head.strip()) == [
        "TYPE", "ERROR", "WHERE", "JOBS", "LAST HOUR", "OLDEST", "LAST", "NEWEST",
    ]  # fmt: skip
    assert re.match(r"resize +KeyError +jobs\.py:12 in resize +2 +2 +.* ago +.* ago +3$", first)
    assert "Bad" in second and "\x1b" not in second


def test_json_is_what_the_api_answers(orpheus: Orpheus, store: Store) -> None:
    fail(store, "KeyError")
    (item,) = json.loads(orpheus("errors", "--json").out)["items"]
    assert item["where"] == "jobs.py:12 in resize"
    assert list(item) == [
        "type", "error", "where", "count", "last_hour", "hour_before", "first_seen", "last_seen",
        "newest", "message", "max_id",
    ]  # fmt: skip
