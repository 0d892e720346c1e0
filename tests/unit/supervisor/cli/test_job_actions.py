"""`orpheus cancel`, `retry`, `run` and `delete`: of ids."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Store
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.conftest import TIME, WORKER

Orpheus = Callable[..., Any]
Finish = Callable[..., None]


@pytest.fixture
def jobs(store: Store, finish: Finish, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Jobs 1 and 2 failed, 3 and 4 wait in the queue mail, 5 waits for its time."""
    monkeypatch.setenv("LOGNAME", "ada")
    store.jobs.submit_many([NewJob("count"), NewJob("words")])
    for _ in range(2):
        finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "no", None))
    mail = NewJob("words", queue="mail")
    store.jobs.submit_many([mail, mail, NewJob("count", delay_ms=60_000)])
    return store


def test_each_job_is_changed_or_refused_on_its_own_and_audited(
    orpheus: Orpheus, jobs: Store
) -> None:
    (lease,) = jobs.leases.lease(WORKER, ("*",), 1, 30_000)
    done = "orpheus: job 1 is failed: it cannot be cancelled\n"
    out = f"job {lease.job_id}: asked to stop\njob 5: cancelled\n"
    assert orpheus("cancel", "1", str(lease.job_id), "5", "--reason", "a mistake") == (1, out, done)
    early = rf"job 5: pending again, due now instead of {TIME}\n"
    assert re.fullmatch(early, orpheus("retry", "5").out)
    assert orpheus("run", "5") == (0, "job 5: due now\n", "")
    assert orpheus("run", "1").code == 1
    assert orpheus("delete", "2") == (0, "job 2: deleted\n", "")
    answer = orpheus("delete", "1", "5", "--json")
    assert (answer.code, answer.json) == (1, {"deleted": [1]})
    assert [job["id"] for job in orpheus("cancel", "5", "--json").json["items"]] == [5]
    rows = [(row.action, row.target, row.reason) for row in reversed(entries_of(jobs, 99))]
    assert rows == [
        ("cancel", f"job {lease.job_id}", "a mistake"),
        ("cancel", "job 5", "a mistake"),
        ("retry", "job 5", None),
        ("run", "job 5", None),
        ("delete", "job 2", None),
        ("delete", "job 1", None),
        ("cancel", "job 5", None),
    ]
    assert {row.by for row in entries_of(jobs, 99)} == {"cli:ada"}
