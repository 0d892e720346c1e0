"""`orpheus cancel`, `retry` and `delete` of all jobs of a filter."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import JobError, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import BulkAction, Store
from orpheus.shared.storage.verbs.bulk import Bulk
from tests.audit_log import entries_of

Orpheus = Callable[..., Any]
Finish = Callable[..., None]


@pytest.fixture
def jobs(store: Store, finish: Finish) -> Store:
    """Jobs 1 and 2 failed, 3 and 4 wait in the queue mail, 5 waits elsewhere."""
    store.jobs.submit_many([NewJob("count"), NewJob("words")])
    for _ in range(2):
        finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "no", None))
    mail = NewJob("words", queue="mail")
    store.jobs.submit_many([mail, mail, NewJob("count")])
    return store


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets somebody sit at a terminal who answers so."""

    def answer(line: str) -> None:
        def prompt(question: str) -> str:
            sys.stderr.write(question)
            if line == "\x04":
                raise EOFError
            return line

        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr("click.termui.visible_prompt_func", prompt)

    return answer


def statuses(store: Store) -> dict[int, str]:
    return {job.id: job.status.value for job in store.jobs.page(JobFilter(), 99)}


def test_jobs_that_are_retried_into_a_paused_queue_are_warned_of(
    orpheus: Orpheus, jobs: Store
) -> None:
    for name in ("default", "other"):
        orpheus("pause", name)
    code, out, err = orpheus("retry", "--status", "failed", "--yes")
    assert (code, out) == (0, "2 jobs with status=failed retried\n")
    assert "queue default is paused" in err and "other" not in err
    assert "paused" not in orpheus("cancel", "--status", "pending", "--yes").err


def test_no_job_is_counted_anew_for_a_queue_that_is_paused(
    orpheus: Orpheus, jobs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("default", "mail"):
        orpheus("pause", name)
    count, counted = Bulk.count, []

    def counts(self: Bulk, action: BulkAction, wanted: JobFilter, max_id: int | None) -> int:
        counted.append(wanted)
        return count(self, action, wanted, max_id)

    monkeypatch.setattr(Bulk, "count", counts)
    assert "queue default is paused" in orpheus("retry", "--status", "failed", "--yes").err
    assert counted == [JobFilter(status=Status.FAILED)]


def test_jobs_of_a_filter_are_counted_and_changed_once_confirmed(
    orpheus: Orpheus, jobs: Store, answers: Callable[[str], None]
) -> None:
    answers("n")
    code, out, err = orpheus("cancel", "--queue", "mail")
    assert (code, out) == (1, "")
    assert "2 jobs with queue=mail can be cancelled. Cancel them?" in err
    assert "nothing was changed" in err
    answers("\x04")  # the end of the input
    assert "nothing was changed" in orpheus("cancel", "--queue", "mail").err
    assert statuses(jobs)[3] == "pending"
    answers("y")
    code, out, _ = orpheus("cancel", "--queue", "mail", "--reason", "the server is down")
    assert (code, out) == (0, "2 jobs with queue=mail cancelled or asked to stop\n")
    assert statuses(jobs) == {
        1: "failed", 2: "failed", 3: "cancelled", 4: "cancelled", 5: "pending"
    }  # fmt: skip
    (row,) = entries_of(jobs, 9)
    assert (row.action, row.target, row.count) == ("cancel", "jobs with queue=mail, id<=5", 2)
    assert row.reason == "the server is down"


def test_the_number_of_many_jobs_must_be_typed(
    orpheus: Orpheus, store: Store, answers: Callable[[str], None]
) -> None:
    store.jobs.submit_many([NewJob("words")] * 1100)
    for wrong in ("y", "", "110"):
        answers(wrong)
        code, out, err = orpheus("cancel", "--type", "words")
        assert (code, out) == (1, "")
        assert "1,100 jobs with type=words can be cancelled. Type 1100 to cancel them" in err
        assert "nothing was changed" in err
    answers("1,100")
    assert orpheus("cancel", "--type", "words").out.startswith(
        "1,100 jobs with type=words cancelled "
    )


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_jobs_to_cancel_are_not_selected_by_their_end_as_they_have_none(
    orpheus: Orpheus, jobs: Store, option: str
) -> None:
    code, out, err = orpheus("cancel", option, "10m", "--yes")
    assert (code, out) == (2, "")
    assert "--since and --until select jobs by when they ended" in err
    assert "use --type, --queue, --tag or --q" in " ".join(err.split())
    assert orpheus("retry", option, "10m", "--yes").code == 0
    assert option not in orpheus("cancel", "--help").out
    assert option in orpheus("retry", "--help").out


def test_a_group_of_errors_is_retried(orpheus: Orpheus, jobs: Store) -> None:
    assert (
        orpheus("retry", "--error", "Other", "--yes").out
        == "0 jobs with error=Other can be retried\n"
    )
    assert (
        orpheus("retry", "--error", "E", "--where", "", "--yes").out
        == "2 jobs with error=E, where= retried\n"
    )


def test_nobody_who_can_answer_means_no(orpheus: Orpheus, jobs: Store) -> None:
    code, out, err = orpheus("delete", "--status", "failed")
    assert (code, out) == (2, "")
    assert "2 jobs with status=failed can be deleted: confirm it with --yes" in err
    assert len(statuses(jobs)) == 5
    assert (
        orpheus("delete", "--status", "failed", "--yes").out
        == "2 jobs with status=failed deleted\n"
    )
    assert set(statuses(jobs)) == {3, 4, 5}


def test_a_dry_run_only_counts(orpheus: Orpheus, jobs: Store) -> None:
    assert orpheus("retry", "--type", "words", "--dry-run").out == (
        "1 job with type=words can be retried\n"
    )
    answer = orpheus("cancel", "--all", "--dry-run", "--json")
    assert json.loads(answer.out) == {"changed": 3, "dry_run": True}
    assert statuses(jobs)[2] == "failed" and entries_of(jobs, 9) == []


def test_jobs_that_are_newer_than_those_counted_are_left_alone(
    orpheus: Orpheus, jobs: Store
) -> None:
    changed = orpheus("cancel", "--all", "--max-id", "4", "--yes", "--json").json
    assert changed == {"changed": 2, "dry_run": False}
    assert statuses(jobs)[5] == "pending"


def test_a_job_that_is_submitted_while_it_asks_is_left_alone(
    orpheus: Orpheus, jobs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say_yes(_: str) -> str:
        jobs.jobs.submit(NewJob("words", queue="mail"))
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", say_yes)
    assert orpheus("cancel", "--queue", "mail").out.startswith("2 jobs with queue=mail cancelled ")
    assert statuses(jobs)[6] == "pending"


@pytest.mark.parametrize(("left_by", "code"), [(KeyboardInterrupt, 130), (EOFError, 1)])
def test_ctrl_c_at_the_question_is_no_answer_and_the_end_of_the_input_is_a_no(
    orpheus: Orpheus,
    jobs: Store,
    monkeypatch: pytest.MonkeyPatch,
    left_by: type[BaseException],
    code: int,
) -> None:
    def leave(_: str) -> str:
        raise left_by

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", leave)
    assert orpheus("cancel", "--queue", "mail")[:2] == (code, "")
    assert statuses(jobs)[4] == "pending"


def test_nothing_is_changed_if_more_match_than_were_confirmed(
    orpheus: Orpheus, jobs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.jobs.cancel(3)

    def say_yes(_: str) -> str:
        jobs.jobs.retry(3)
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", say_yes)
    code, out, err = orpheus("cancel", "--queue", "mail")
    assert (code, out) == (1, "")
    assert "2 jobs match now, 1 were expected; nothing was changed" in err
    assert statuses(jobs)[4] == "pending"


def test_of_a_queue_that_runs_those_that_are_left_are_changed_but_a_given_number_must_hold(
    orpheus: Orpheus, jobs: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say_yes(_: str) -> str:
        jobs.jobs.cancel(3)
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", say_yes)
    assert orpheus("cancel", "--queue", "mail").out.startswith("1 job with queue=mail cancelled")
    jobs.jobs.retry(3)
    for count, code in (("2", 1), ("0", 1), ("1", 0)):
        assert orpheus("cancel", "--queue", "mail", "--expected-count", count).code == code


def test_where_no_job_matches_nobody_is_asked(orpheus: Orpheus, jobs: Store) -> None:
    code, out, _ = orpheus("retry", "--queue", "empty")
    assert (code, out) == (0, "0 jobs with queue=empty can be retried\n")
    assert orpheus("retry", "--queue", "empty", "--expected-count", "3").code == 1


def test_all_that_waits_for_a_cancelled_job_is_cancelled_with_it(
    orpheus: Orpheus, store: Store
) -> None:
    head = NewJob("count", ref="head", tags=("first",))
    store.jobs.submit_many([head] + [NewJob("words", depends_on=("head",))] * 1_200)
    assert orpheus("cancel", "--tag", "first", "--yes").code == 0
    assert store.stats.counts()[Status.CANCELLED] == 1_201


@pytest.mark.parametrize(
    "arguments",
    [
        ["cancel"],
        ["cancel", "--yes"],
        ["cancel", "1", "--queue", "mail"],
        ["retry", "1", "--dry-run"],
        ["delete", "--all", "--status", "done"],
        ["delete", "--expected-count", "-1"],
    ],
)
def test_ids_a_filter_or_all_must_be_given_and_only_one_of_them(
    orpheus: Orpheus, jobs: Store, arguments: list[str]
) -> None:
    before = statuses(jobs)
    code, out, err = orpheus(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    names_both = (
        len(arguments) > 2 and {"1", "--all"} & {*arguments} and "--dry-run" not in arguments
    )
    assert ("not both" in err) is bool(names_both)
    assert statuses(jobs) == before


@pytest.mark.parametrize(
    "command",
    [
        ("jobs", "--status", "failed", "--status", "cancelled"),
        ("retry", "--status", "failed", "--yes", "--status", "cancelled"),
        ("cancel", "--tag", "a", "--tag=b", "--dry-run"),
        ("delete", "--all", "--max-id", "1", "--max-id", "2", "--yes"),
        ("audit", "--by", "ada", "--by", "bob"),
    ],
    ids=" ".join,
)
def test_a_filter_that_is_given_twice_is_refused(
    orpheus: Orpheus, jobs: Store, command: tuple[str, ...]
) -> None:
    before = statuses(jobs)
    twice = next(one for one in command if one[:2] == "--" and one not in ("--all", "--yes"))
    code, out, err = orpheus(*command)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{twice} was given twice" in err
    assert statuses(jobs) == before
