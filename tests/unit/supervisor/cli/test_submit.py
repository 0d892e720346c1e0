"""`orpheus submit`, with and without `--wait`."""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import orpheus.supervisor.cli.submit as submit_module
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import why
from tests.machine import wait_until
from tests.unit.supervisor.cli.conftest import WORKER

Orpheus = Callable[..., Any]
Finish = Callable[..., None]
InBackground = Callable[[Callable[[Store], None]], threading.Thread]


def when_pending(store: Store, job_id: int) -> None:
    """Waits until that job is there."""
    wait_until(lambda: bool(store.jobs.page(JobFilter(), job_id)), f"job {job_id}")


@pytest.mark.usefixtures("supervised")
def test_a_job_is_submitted_with_all_that_can_be_said(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count")])
    answer = orpheus(
        *("submit", "count", "n=3", "--priority", "5", "--delay", "1h", "--queue", "default"),
        *("--max-retries", "0", "--timeout", "2m", "--tag", "a", "--tag", "b"),
        *("--depends-on", "1", "--depends-on", "2", "--on-dependency-failure", "run"),
        *("--concurrency-key", "customer 7", "--unique-key", "k"),
        *("--expires", "10m", "--unique-for", "2h", "--retention", "0"),
    )
    assert answer == (0, "job 3 submitted\n", "")
    job = store.jobs.get(3)
    assert (job.payload, job.priority, job.queue, job.status) == (
        '{"n":3}',
        5,
        "default",
        "blocked",
    )
    assert job.run_at_ms - job.created_at_ms == 3_600_000
    assert (job.max_retries, job.timeout_s, job.tags) == (0, 120.0, ("a", "b"))
    assert (job.depends_on, job.concurrency_key) == ((1, 2), "customer 7")
    assert job.expires_ms == job.run_at_ms + 600_000
    assert job.unique_until_ms == job.created_at_ms + 7_200_000
    assert job.retention_ms == 0
    shown = orpheus("show", "3").out
    assert all(word in shown for word in ("expires", "unique until", "retention"))
    again = orpheus("submit", "count", "n=2", "--unique-key", "k", "--on-duplicate", "replace")
    assert store.jobs.get(3).payload == '{"n":2}'
    assert again[:2] == (0, "job 3 had this unique key: it has this payload and time now\n")
    job_json = orpheus("submit", "words", '{"n": 3}', "--json", "--queue", "other").json
    assert (job_json["payload"], job_json["queue"]) == ({"n": 3}, "other")
    assert (job_json["max_retries"], job_json["timeout"]) == (5, 30.0)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["cuont", "n=1"], 1, "type: no job type is called 'cuont'; did you mean 'count'?"),
        (["count"], 1, "payload.n: is required"),
        (["count", "n=-1", "m=1"], 1, "payload.m: is not a field of this job type"),
        (["count", "n=1", "--tag", "ok", "--tag", "a b"], 1, "tags.1: is not a valid name"),
        (["count", "n=1", "--depends-on", "99"], 1, "depends_on.0: there is no job 99"),
        (["count", '{"n":'], 2, "the payload is not valid JSON"),
        (["count", "n=1", "n=2"], 2, "the field 'n' is given twice"),
        (["count", '{"n":1,"n":2}'], 2, ""),
    ],
)
def test_a_job_that_is_not_accepted_is_told_in_a_line_and_not_stored(
    arguments: list[str], code: int, reason: str, orpheus: Orpheus, store: Store
) -> None:
    answer = orpheus("submit", *arguments)
    assert (answer.code, answer.out, answer.err.count("\n")) == (code, "", 1)
    assert reason in answer.err
    assert sum(store.stats.counts().values()) == 0


def test_what_holds_a_job_back_until_somebody_acts_is_warned_of(
    orpheus: Orpheus, store: Store, supervised: Store
) -> None:
    assert orpheus("submit", "count", "n=1", "--delay", "1h") == (0, "job 1 submitted\n", "")
    orpheus("pause", "mail", "--reason", "a release")
    paused = orpheus("submit", "words")
    assert (paused.code, paused.err.count("\n")) == (0, 1)
    assert "warning: " in paused.err and "a release" in paused.err
    other = ("--set", "pools.default.queues=['mail']")
    assert "no pool serves" in orpheus("submit", "count", "n=1", *other).err
    supervised.processes.forget("boss")
    assert "start it with `orpheus`" in orpheus("submit", "count", "n=1").err


@pytest.mark.parametrize(
    ("ending", "error", "options", "answer"),
    [
        (Ending.SUCCEEDED, None, (), (0, '{"sum":3}\n', "")),
        (
            Ending.FAILED_PERMANENTLY,
            JobError("E", "one\ntwo \x1b[2J", None),
            (),
            (1, "", "orpheus: job 1 is failed: E: one\\ntwo \\x1b[2J\n"),
        ),
        (Ending.FAILED_PERMANENTLY, JobError("E", "no", None), ("--json",), (1, "failed", "")),
    ],
)
def test_waiting_prints_the_result_or_the_error(
    orpheus: Orpheus,
    store: Store,
    finish: Finish,
    in_background: InBackground,
    ending: Ending,
    error: JobError | None,
    options: tuple[str, ...],
    answer: tuple[int, str, str],
) -> None:
    def work(other: Store) -> None:
        when_pending(other, 1)
        finish(other, ending, error)

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait", *options)
    worker.join()
    shown = json.loads(out)["status"] if options else out
    assert (code, shown, err.partition("\n")[2]) == answer


@pytest.mark.parametrize("is_terminal", [True, False])
def test_it_says_what_holds_back_a_job_and_shows_its_progress_while_it_waits(
    orpheus: Orpheus,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    in_background: InBackground,
    is_terminal: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setattr(submit_module, "_LOOK_EVERY_S", 0.0)
    told, reason = threading.Event(), why.lasting_reason
    orpheus("pause", "default", "--reason", "a release")

    def noted(*given: Any) -> str | None:
        found = reason(*given)
        told.set()
        return found

    monkeypatch.setattr(submit_module, "lasting_reason", noted)

    def work(other: Store) -> None:
        assert told.wait(30)
        threading.Event().wait(0.2)
        other.queues.resume("default")
        (lease,) = other.leases.lease(WORKER, ("*",), 1, 30_000)
        other.leases.progress(lease.job_id, lease.token, 0.5, "half \x1b[2J way")
        threading.Event().wait(0.5)  # it is looked for meanwhile
        other.leases.finish([Finished(lease, Ending.SUCCEEDED, "1")])

    worker = in_background(work)
    code, out, err = orpheus("submit", "count", "n=2", "--wait")
    worker.join()
    assert (code, out) == (0, "1\n")
    assert "a release" in err
    assert (r"half \x1b[2J way" in err) is is_terminal
