"""`orpheus submit`, with and without `--wait`."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.handovers import for_command_line
from orpheus.config.settings import Settings
from orpheus.shared.domain.commands import CommandSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Holder, Job, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.errors import DatabaseAway
from orpheus.shared.explain.reasons import Reason
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.messages.queues import Code
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import logs, why
from orpheus.supervisor.cli.submit import submit
from tests.machine import PATIENCE_S, slowness, wait_until

Orpheus = Callable[..., Any]
Finish = Callable[..., None]
InBackground = Callable[[Callable[[Store], None]], threading.Thread]
WORKER = Holder("default-1", "incarnation", 7)


def when_pending(store: Store, job_id: int) -> None:
    """Waits until that job is there."""
    for _ in range(1_000):
        if store.stats.counts()["pending"] >= job_id:  # type: ignore[index]
            return
        threading.Event().wait(0.01)
    raise AssertionError("no job was submitted")


def test_a_job_is_submitted_from_fields(orpheus: Orpheus, store: Store) -> None:
    code, out, _ = orpheus("submit", "count", "n=3", "--priority", "5", "--delay", "1h")
    assert (code, out) == (0, "job 1 submitted\n")
    job = store.jobs.get(1)
    assert (job.payload, job.priority) == ('{"n":3}', 5)
    assert job.run_at_ms - job.created_at_ms == 3_600_000


def test_a_job_is_submitted_from_json_and_shown_as_json(orpheus: Orpheus, store: Store) -> None:
    job = orpheus("submit", "words", '{"n": 3}', "--json", "--queue", "other").json
    assert job["payload"] == {"n": 3}
    assert (job["queue"], job["max_retries"], job["timeout"]) == ("other", 5, 30.0)


def test_a_job_that_has_ended_at_once_is_told(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    store.jobs.cancel(1)
    code, out, err = orpheus("submit", "count", "n=1", "--depends-on", "1")
    assert (code, out) == (1, "job 2 submitted\n")
    why = "DependencyFailed: it depended on a job: job 1 is cancelled"
    assert err == f"orpheus: job 2 is cancelled: {why}\n"


def test_a_queue_that_no_pool_serves_is_warned_of_and_that_nothing_runs(
    orpheus: Orpheus, store: Store
) -> None:
    Path("orpheus.toml").write_text('[pools.default]\nqueues = ["mail"]\n', encoding="utf-8")
    given = ("--config", "orpheus.toml", "submit", "count", "n=1", "--queue")
    warning = "orpheus: warning: no pool serves queue mial; did you mean 'mail'?\n"
    start = "`orpheus --config orpheus.toml` starts it"
    nothing = f"orpheus: warning: nothing runs, so it waits; {start}\n"
    assert orpheus(*given, "mial") == (0, "job 1 submitted\n", nothing + warning)
    assert orpheus(*given, "mail") == (0, "job 2 submitted\n", nothing)


def test_a_queue_that_is_paused_is_warned_of(orpheus: Orpheus, store: Store) -> None:
    orpheus("pause", "mail", "--reason", "a release")
    code, out, err = orpheus("submit", "words")
    assert (code, out) == (0, "job 1 submitted\n")
    assert "warning: queue mail is paused by cli:" in err and "`orpheus resume mail`" in err
    assert "paused" not in orpheus("submit", "words", "--queue", "default").err


def test_a_field_that_is_text_stays_text(orpheus: Orpheus, store: Store) -> None:
    orpheus("submit", "words", "text=5", "n=5")
    assert store.jobs.get(1).payload == '{"text":"5","n":5}'


def test_a_command_is_given_what_was_typed(orpheus: Orpheus, store: Store) -> None:
    command = CommandSettings("deploy", ("deploy", "{version}"), None, None, "", {}, (0,))
    store.types.replace(describe_types((), (command,), 30, ()))
    typed = ["1.10", "7e3", "007", "99999999999999999999", "true", "null", "NaN", "[1]", '"a"', ""]
    for text in typed:
        assert orpheus("submit", "deploy", f"version={text}").code == 0
    jobs = store.jobs.page(JobFilter(), len(typed))
    assert [json.loads(job.payload) for job in reversed(jobs)] == [{"version": t} for t in typed]


def test_a_job_is_submitted_with_all_that_can_be_said(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count")])
    code, *_ = orpheus(
        *("submit", "count", "n=3", "--max-retries", "0", "--timeout", "2m"),
        *("--tag", "a", "--tag", "b", "--depends-on", "1", "--depends-on", "2"),
        *("--on-dependency-failure", "run", "--concurrency-key", "customer 7"),
    )
    job = store.jobs.get(3)
    assert job.concurrency_key == "customer 7"
    assert (code, job.status, job.depends_on) == (0, "blocked", (1, 2))
    assert (job.max_retries, job.timeout_s, job.tags) == (0, 120.0, ("a", "b"))
    shown = orpheus("show", "3").out
    assert "depends on       1, 2" in shown
    assert "concurrency key  customer 7" in shown
    store.jobs.cancel(1)
    store.jobs.cancel(2)
    assert store.jobs.get(3).status == "pending"


def test_a_live_job_with_the_same_key_is_named_instead(orpheus: Orpheus, store: Store) -> None:
    orpheus("submit", "count", "n=1", "--unique-key", "k")
    code, out, _ = orpheus("submit", "count", "n=2", "--unique-key", "k")
    assert (code, out) == (0, "job 1 is live with this unique key\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["cuont", "n=1"], "type: no job type is called 'cuont'; did you mean 'count'?"),
        (["count"], "payload.n: is required"),
        (["count", "n=-1", "m=1"], "payload.m: is not a field of this job type"),
        (["count", "n=1", "--queue", "a b"], "queue: "),
        (["count", "n=1", "--delay", "soon"], "delay: 'soon' is no duration"),
        (["count", "n=1", "--timeout", "0"], "timeout: must be longer than 0"),
        (["count", "n=1", "--max-retries", "101"], "max_retries: must be an integer from 0 to 100"),
        (["count", "n=1", "--tag", "ok", "--tag", "a b"], "tags.1: is not a valid name"),
        (["count", "n=1", "--depends-on", "99"], "depends_on.0: there is no job 99"),
    ],
)
def test_a_job_that_is_not_accepted_exits_1_with_the_reason_and_stores_nothing(
    arguments: list[str], reason: str, orpheus: Orpheus, store: Store
) -> None:
    code, out, err = orpheus("submit", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert reason in err
    assert sum(store.stats.counts().values()) == 0


@pytest.mark.parametrize("payload", ['{"n":', "n", "=1", "n=1 n=2", '{"n":1,"n":2}', '{"n":NaN}'])
def test_a_payload_that_is_no_payload_is_a_usage_error(
    payload: str, orpheus: Orpheus, store: Store
) -> None:
    assert orpheus("submit", "count", *payload.split()).code == 2


def test_waiting_prints_the_result_and_exits_0_when_done(
    orpheus: Orpheus, store: Store, finish: Finish, in_background: InBackground
) -> None:
    def work(other: Store) -> None:
        when_pending(other, 1)
        finish(other)

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait")
    worker.join()
    assert (code, out, err) == (0, '{"sum":3}\n', "job 1 submitted\n")


def test_waiting_exits_1_with_the_error_when_the_job_failed(
    orpheus: Orpheus, store: Store, finish: Finish, in_background: InBackground
) -> None:
    def work(other: Store) -> None:
        when_pending(other, 1)
        finish(other, Ending.FAILED_PERMANENTLY, JobError("ValueError", "no", None))

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait", "--json")
    worker.join()
    assert (code, json.loads(out)["status"], err) == (1, "failed", "job 1 submitted\n")


def test_what_a_failed_job_wrote_moves_no_cursor_and_stays_one_line(
    orpheus: Orpheus, store: Store, finish: Finish, in_background: InBackground
) -> None:
    def work(other: Store) -> None:
        when_pending(other, 1)
        finish(other, Ending.FAILED_PERMANENTLY, JobError("E", "one\ntwo \x1b[2J\r over", None))

    worker = in_background(work)
    _, out, err = orpheus("submit", "count", "n=2", "--wait")
    worker.join()
    told = r"orpheus: job 1 is failed: E: one\ntwo \x1b[2J\r over"
    assert (out, err) == ("", f"job 1 submitted\n{told}\n")


@pytest.mark.parametrize(
    ("error", "exit_code", "told"),
    [(KeyboardInterrupt(), 130, "\n"), (DatabaseAway("no answer"), 74, "orpheus: no answer\n")],
)
def test_a_job_is_named_whose_end_could_not_be_waited_for(
    error: BaseException,
    exit_code: int,
    told: str,
    orpheus: Orpheus,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("orpheus.supervisor.cli.submit.wait_for_change", fail)
    code, out, err = orpheus("submit", "count", "n=2", "--wait", "--json", "--set", "api.port=0")
    shown = "orpheus --set api.port=0 show 1"
    named = f"job 1 submitted\norpheus: stopped waiting; the job goes on: {shown}\n"
    assert (code, out, err) == (exit_code, "", named + told)


def test_a_terminal_sees_progress_while_it_waits(
    orpheus: Orpheus,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    finish: Finish,
    in_background: InBackground,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    def work(other: Store) -> None:
        when_pending(other, 1)
        (lease,) = other.leases.lease(WORKER, ("*",), 1, 30_000)
        other.leases.progress(lease.job_id, lease.token, 0.5, "half \x1b[2J way")
        threading.Event().wait(0.3 * slowness())  # it is looked for meanwhile
        other.leases.finish([Finished(lease, Ending.SUCCEEDED, "1")])

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait")
    worker.join()
    assert (code, out) == (0, "1\n")
    assert r"half \x1b[2J way" in err


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is told of a job that waits, without patience."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(why, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(why, "_LOOK_EVERY_S", 0.0)
    lines: list[str] = []
    news = why.WaitingJob.news

    def noting(self: why.WaitingJob, job: Job) -> str | None:
        line = news(self, job)
        lines.extend([line] if line else [])
        return line

    monkeypatch.setattr(why.WaitingJob, "news", noting)
    return lines


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_and_a_log_are_told_why_a_job_waits_and_again_when_that_changes(
    is_terminal: bool,
    orpheus: Orpheus,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    finish: Finish,
    in_background: InBackground,
    told: list[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    orpheus("pause", "default", "--reason", "a release")

    def work(other: Store) -> None:
        when_pending(other, 1)
        try:
            wait_until(lambda: len(told) == 1, "the first reason")
            other.queues.resume("default")
            wait_until(lambda: len(told) == 2, "another reason")
        finally:
            other.queues.resume("default")
            finish(other)

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait")
    worker.join()
    assert (code, out) == (0, '{"sum":3}\n')
    paused, nobody = told
    assert paused.startswith("job 1 waits: queue default is paused by cli:")
    assert paused.endswith(": a release; 1 more: orpheus why 1")
    assert nobody == "job 1 waits: nothing runs; `orpheus` starts it"
    assert [err.count(line) for line in told] == [1, 1]


@pytest.mark.parametrize("streams", [["stderr"], ["stderr", "stdout"]])
def test_a_reader_that_leaves_takes_neither_the_outcome_nor_the_exit_code_along(
    streams: list[str],
    orpheus: Orpheus,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    finish: Finish,
    in_background: InBackground,
    told: list[str],
) -> None:
    """As in `orpheus submit … --wait 2>&1 | head -1`."""
    orpheus("pause", "default")
    read_fd, write_fd = os.pipe()

    def work(other: Store) -> None:
        try:
            with os.fdopen(read_fd) as reader:
                assert reader.readline() == "job 1 submitted\n"
                wait_until(lambda: len(told) == 1, "the first reason")
            other.queues.resume("default")
            wait_until(lambda: len(told) == 2, "another reason")
        finally:
            other.queues.resume("default")
            finish(other)

    with os.fdopen(write_fd, "w") as pipe, monkeypatch.context() as patch:
        for name in streams:
            patch.setattr(sys, name, pipe)
        worker = in_background(work)
        code, out, _ = orpheus("submit", "count", "n=2", "--wait")
        worker.join()
        pipe.flush()
    assert (code, out) == (0, "" if "stdout" in streams else '{"sum":3}\n')


def test_a_reason_that_changes_with_each_look_does_not_fill_a_log(
    store: Store, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    job = store.jobs.submit(NewJob("count")).job
    holders = (f"job {id}" for id in range(2, 200))
    monkeypatch.setattr(why, "of_job", lambda *_: [Reason(Code.RUN_AT, by=next(holders))])
    waiting = why.WaitingJob(store, for_command_line(Settings()))
    for _ in range(100):
        waiting.news(job)
    assert len(told) == 20
    assert (
        told[-1] == "job 1 waits: its time has not come (held by job 21); "
        "no further reason is told: orpheus why 1"
    )


def test_json_is_not_told_why(
    orpheus: Orpheus,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    finish: Finish,
    in_background: InBackground,
    told: list[str],
) -> None:
    looks = threading.Semaphore(0)
    wait = logs.wait_for_change

    def counted(store: Store, at_most_s: float) -> None:
        looks.release()
        wait(store, 0.01)

    monkeypatch.setattr("orpheus.supervisor.cli.submit.wait_for_change", counted)

    def work(other: Store) -> None:
        when_pending(other, 1)
        assert all(looks.acquire(timeout=PATIENCE_S) for _ in range(3))
        finish(other)

    worker = in_background(work)
    code, *_ = orpheus("submit", "count", "n=2", "--wait", "--json")
    worker.join()
    assert (code, told) == (0, [])


def test_submit_offers_what_the_contract_names() -> None:
    options = {name for parameter in submit.params for name in parameter.opts}
    assert {"--queue", "--priority", "--delay", "--unique-key", "--wait", "--json"} <= options
    assert {"--depends-on", "--tag", "--max-retries", "--timeout"} <= options
