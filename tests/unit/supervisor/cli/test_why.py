"""`orpheus why`."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]
Finish = Callable[..., None]
WORKER = Holder("default-1", "life-1", 7)


def start_worker(store: Store) -> None:
    """As a worker that runs without a supervisor."""
    clock = store.clock
    store.processes.register(
        ProcessRecord(
            host="host-1", incarnation="life-1", slot="default-1", pool="default",
            role=Role.WORKER, pid=7, create_time_s=1.0, boot_id=clock.boot_id, started_at_ms=1,
            ready=True, beat=1, last_beat_mono_ms=clock.monotonic_ms(), job_id=None, jobs_done=0,
        )
    )  # fmt: skip


def test_it_says_that_no_worker_is_ready(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    answer = orpheus("why", "1")
    assert answer.code == 1
    assert answer.out == ("job 1 (count) waits:\n  - nothing runs; `orpheus` starts it\n")


def test_it_says_when_a_job_runs_next_and_where_it_runs(orpheus: Orpheus, store: Store) -> None:
    start_worker(store)
    store.jobs.submit(NewJob("count"))
    answer = orpheus("why", "1")
    assert (answer.code, answer.out) == (0, "job 1 (count) runs next: nothing holds it back\n")
    store.leases.lease(WORKER, ("*",), 1, 30_000)
    answer = orpheus("why", "1")
    assert (answer.code, answer.out) == (0, "job 1 (count) runs on default-1\n")


def test_it_says_until_when_in_local_time_and_for_how_long(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count", delay_ms=90_500))
    out = orpheus("why", "1").out
    assert re.search(rf"its time has not come, until {TIME} \(for 1 min \d+ s\)\n", out)


def test_it_names_who_holds_a_limit(orpheus: Orpheus, store: Store) -> None:
    start_worker(store)
    orpheus("pause", "default", "--reason", "a \x1b[31mtest")
    store.jobs.submit(NewJob("count"))
    out = orpheus("why", "1").out
    assert "queue default is paused by cli:" in out
    assert "\x1b" not in out  # whoever gave the reason


def test_it_names_the_command_that_lets_the_job_run(orpheus: Orpheus, store: Store) -> None:
    start_worker(store)
    orpheus("pause", "default", "--reason", "a test")
    store.jobs.submit_many([NewJob("count")] * 2)
    assert orpheus("why", "1").out.endswith(": a test (orpheus resume default)\n")
    orpheus("resume", "default")
    store.quarantines.after = 1
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    store.leases.free(WORKER.incarnation, CellState(lease.token, running=True))
    assert store.leases.lease(WORKER, ("*",), 1, 30_000) == []
    assert orpheus("why", "2").out.endswith(" (orpheus release count)\n")


def test_of_a_type_that_is_released_no_release_is_proposed_whatever_the_words(
    orpheus: Orpheus, store: Store
) -> None:
    start_worker(store)
    store.jobs.submit_many([NewJob("count")] * 3)
    store.quarantines.after, store.quarantines.most_at_once = 1, 1
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    cell, evidence = CellState(lease.token, running=True), "it has just been released"
    store.leases.free(WORKER.incarnation, cell, evidence=evidence)
    assert store.leases.lease(WORKER, ("*",), 1, 30_000) == []
    assert orpheus("why", "3").out.endswith(f"{evidence} (orpheus release count)\n")
    store.quarantines.release("count")
    released = orpheus("why", "3").out
    assert "type count has just been released" in released
    assert "orpheus release" not in released


def test_it_tells_of_an_end(orpheus: Orpheus, store: Store, finish: Finish) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store)
    answer = orpheus("why", "1")
    assert (answer.code, answer.out) == (1, "job 1 (count) has ended:\n  - it is done\n")


def test_an_old_error_is_not_why_an_operator_cancelled_a_job(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count", max_retries=3))
    finish(store, Ending.FAILED, JobError("DependencyFailed", "try later"))
    store.jobs.submit(NewJob("count"))
    store.jobs.cancel(2)
    store.jobs.retry(2)
    store.jobs.cancel(2)
    orpheus("cancel", "1", "--reason", "sent twice")
    how = r"by cli:\S+: sent twice; its last error was DependencyFailed: try later"
    assert re.search(rf"- it is cancelled {how} \(a retry runs it again\)", orpheus("why", "1").out)
    heads, by_nobody, by_operator = orpheus("jobs").out.splitlines()
    assert re.fullmatch(how, by_operator[heads.index("NOTE") :])
    assert by_nobody.rstrip().endswith("-")
    shown = orpheus("show", "1").out.splitlines()[2].split(maxsplit=1)[1]
    assert re.fullmatch(r"cancelled by cli:\S+: sent twice", shown)


def test_a_running_job_that_was_cancelled_tells_by_whom(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    start_worker(store)
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    orpheus("cancel", "1")
    store.leases.finish([Finished(lease, Ending.CANCELLED)])
    assert re.search(r"- it is cancelled by cli:\S+ \(a retry", orpheus("why", "1").out)


def test_a_job_cancelled_because_of_another_names_that_one(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    store.jobs.submit(NewJob("count", depends_on=(1,)))
    orpheus("cancel", "1")
    why = "it is cancelled: DependencyFailed: it depended on a job: job 1 is cancelled"
    assert f"- {why} (retry job 1 first)" in orpheus("why", "2").out


def test_json_is_what_the_api_answers(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    answer = orpheus("why", "1", "--json").json
    assert answer["runs"] is False
    (reason,) = answer["reasons"]
    assert reason == {
        "code": "no_worker",
        "text": "nothing runs; `orpheus` starts it",
        "until": None,
        "by": None,
    }


def test_a_job_that_waits_is_shown_with_the_first_reason(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count", delay_ms=90_500))
    out = orpheus("show", "1").out
    assert re.search(r"\nwaits  +its time has not come, until .+; 1 more: orpheus why 1\n", out)


def test_a_reason_is_wrapped_at_words_on_a_terminal(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    store.jobs.submit(NewJob("count"))
    store.queues.configure({"default": QueueRules(paused=True)})
    assert orpheus("why", "1").out.splitlines()[1:3] == [
        "  - queue default is paused by the configuration",
        "    (orpheus resume default)",
    ]


def test_the_first_reason_of_a_shown_job_is_wrapped_like_that(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    text = "one word after another that makes a long payload"
    store.jobs.submit(NewJob("count", payload=f'{{"text":"{text}"}}'))
    store.queues.configure({"default": QueueRules(paused=True)})
    out = orpheus("show", "1").out
    assert (
        "\nwaits    queue default is paused by the"
        "\n           configuration; 1 more: orpheus why 1\n"
    ) in out
    assert text in out, "what may be copied stays in one line"


def test_an_unknown_job_is_one_line(orpheus: Orpheus, store: Store) -> None:
    answer = orpheus("why", "7")
    assert (answer.code, answer.err) == (1, "orpheus: there is no job 7\n")
