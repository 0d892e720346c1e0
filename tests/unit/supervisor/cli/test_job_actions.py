"""`orpheus cancel`, `retry`, `run` and `delete`: of ids, and of all jobs of a filter."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Store
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.conftest import WORKER

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


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets a person at a terminal type this line, after `then`."""

    def answer(line: str | type[BaseException], then: Callable[[], object] = lambda: None) -> None:
        def prompt(question: str) -> str:
            sys.stderr.write(question)
            then()
            if not isinstance(line, str):
                raise line
            return line

        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", prompt)

    return answer


def statuses(store: Store) -> dict[int, str]:
    return {job.id: job.status.value for job in store.jobs.page(JobFilter(), 99)}


def test_each_job_is_changed_or_refused_on_its_own_and_audited(
    orpheus: Orpheus, jobs: Store
) -> None:
    (lease,) = jobs.leases.lease(WORKER, ("*",), 1, 30_000)
    done = "orpheus: job 1 is failed: it cannot be cancelled\n"
    out = f"job {lease.job_id}: asked to stop\njob 5: cancelled\n"
    assert orpheus("cancel", "1", str(lease.job_id), "5", "--reason", "a mistake") == (1, out, done)
    assert orpheus("retry", "5") == (0, "job 5: pending again\n", "")
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


def test_jobs_of_a_filter_are_counted_and_changed_once_confirmed(
    orpheus: Orpheus, jobs: Store, answers: Callable[..., None]
) -> None:
    for no, code in (("n", 1), (EOFError, 1), (KeyboardInterrupt, 130)):
        answers(no)
        answer = orpheus("cancel", "--queue", "mail")
        assert (answer.code, answer.out) == (code, "")
        assert "2 jobs with queue=mail can be cancelled. Cancel them?" in answer.err
    assert statuses(jobs)[3] == "pending"
    answers("y", lambda: jobs.jobs.submit(NewJob("words", queue="mail")))
    code, out, _ = orpheus("cancel", "--queue", "mail", "--reason", "the server is down")
    assert (code, out) == (0, "2 jobs with queue=mail cancelled or asked to stop\n")
    assert [statuses(jobs)[id] for id in (3, 4, 6)] == ["cancelled", "cancelled", "pending"]
    (row,) = entries_of(jobs, 9)
    assert (row.action, row.target, row.count) == ("cancel", "jobs with queue=mail, id<=5", 2)
    assert row.reason == "the server is down"


def test_more_jobs_than_were_confirmed_are_not_changed_and_fewer_are(
    orpheus: Orpheus, jobs: Store, answers: Callable[..., None]
) -> None:
    jobs.jobs.cancel(3)
    answers("y", lambda: jobs.jobs.retry(3))
    code, out, err = orpheus("cancel", "--queue", "mail")
    assert (code, out) == (1, "")
    assert "2 jobs match now, 1 were expected; nothing was changed" in err
    answers("y", lambda: jobs.jobs.cancel(3))
    assert orpheus("cancel", "--queue", "mail").out.startswith("1 job with queue=mail cancelled")


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("retry --type words --dry-run", "1 job with type=words can be retried\n"),
        ("retry --queue empty", "0 jobs with queue=empty can be retried\n"),
        ("retry --error E --where= --yes", "2 jobs with error=E, where= retried\n"),
        ("retry --since 10m --yes", "2 jobs with since="),
        ("delete --status failed --yes", "2 jobs with status=failed deleted\n"),
        ("cancel --all --yes", "3 jobs cancelled or asked to stop\n"),
    ],
)
def test_nobody_is_asked_with_yes_or_for_nothing(
    orpheus: Orpheus, jobs: Store, command: str, out: str
) -> None:
    answer = orpheus(*command.split())
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(out)
    told = orpheus("cancel", "--all", "--dry-run", "--json").json
    assert told["dry_run"] is True


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cancel", "give the ids of jobs, or a filter"),
        ("cancel --yes", "give the ids of jobs, or a filter"),
        ("cancel 1 --queue mail", "not both"),
        ("retry 1 --dry-run", "not both"),
        ("delete --all --status done", "or a filter"),
        ("cancel --since 10m --yes", "ended jobs, which cannot be cancelled"),
        ("delete --status failed", "2 jobs with status=failed can be deleted: confirm it with"),
    ],
)
def test_ids_a_filter_or_all_must_be_given_and_only_one_of_them(
    orpheus: Orpheus, jobs: Store, command: str, message: str
) -> None:
    before = statuses(jobs)
    code, out, err = orpheus(*command.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert statuses(jobs) == before
