"""`orpheus cancel`, `retry`, `run` and `delete`."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.processes import read_workers
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.slot_rows import slot

Orpheus = Callable[..., Any]
Finish = Callable[..., None]
WORKER = Holder("default-1", "incarnation", 7)


def test_each_job_is_cancelled_or_refused_on_its_own(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count"), NewJob("count")])
    finish(store)
    store.leases.lease(WORKER, ("*",), 1, 30_000)
    code, out, err = orpheus("cancel", "1", "2", "3")
    assert code == 1
    assert out == "job 2: asked to stop\njob 3: cancelled\n"
    refused, warning = err.splitlines()
    assert refused == "orpheus: job 1 is done: it cannot be cancelled"
    assert warning == (
        "orpheus: warning: nothing runs, so it ends at the next start; `orpheus` starts it"
    )


def test_what_is_to_run_again_or_now_waits_while_nothing_runs(
    orpheus: Orpheus, store: Store
) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count")])
    store.jobs.cancel(2)
    warning = "orpheus: warning: nothing runs, so it waits; `orpheus` starts it\n"
    assert orpheus("run", "1").err == warning
    assert orpheus("retry", "2").err == warning


def test_a_job_that_is_due_now_says_what_still_holds_it_back(
    orpheus: Orpheus, store: Store
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    names = ("supervisor", "default-1")
    store.processes.put_slots([slot(name, SlotState.READY) for name in names])
    store.jobs.submit_many([NewJob("count", delay_ms=60_000)] * 2)
    assert orpheus("run", "1") == (0, "job 1: due now\n", "")
    orpheus("pause", "default", "--reason", "a release")
    said = r"job 2: due now, but queue default is paused by cli:\S+: a release\n"
    assert re.fullmatch(said, orpheus("run", "2").out)


def test_a_job_that_a_worker_ends_at_once_is_held_back_by_nothing(
    orpheus: Orpheus, store: Store, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    store.processes.put_slots([slot("supervisor", SlotState.READY)])
    store.jobs.submit(NewJob("count", delay_ms=60_000))

    def read_late(*given: Any) -> Any:
        if store.stats.counts()[Status.PENDING]:
            finish(store)
        return read_workers(*given)

    monkeypatch.setattr("orpheus.supervisor.cli.job_actions.read_workers", read_late)
    assert orpheus("run", "1") == (0, "job 1: due now\n", "")
    assert store.jobs.get(1).status is Status.DONE


def test_all_that_waits_for_a_cancelled_job_is_cancelled_with_it(
    orpheus: Orpheus, store: Store
) -> None:
    head = NewJob("count", ref="head")
    store.jobs.submit_many([head] + [NewJob("count", depends_on=("head",))] * 1_200)
    said = "job 1: cancelled; 1,200 jobs that depend on it ended with it\n"
    assert orpheus("cancel", "1").out == said
    assert store.stats.counts()[Status.CANCELLED] == 1_201


def test_a_cancel_and_a_retry_tell_of_the_jobs_that_ended_with_a_job(
    orpheus: Orpheus, store: Store
) -> None:
    for others in ((), (1,), (2,)):
        store.jobs.submit(NewJob("count", depends_on=others))
    stay = "job 1: pending again; 2 jobs that ended with it stay so until each is retried\n"
    ended = "job 1: cancelled; 2 jobs that depend on it ended with it\n"
    assert orpheus("cancel", "1").out == ended
    assert orpheus("retry", "1").out == stay
    retried = "job 2: blocked again; 1 job that ended with it stays so until it is retried too\n"
    assert orpheus("retry", "2").out == retried
    assert orpheus("retry", "3").out == "job 3: blocked again\n"
    assert orpheus("cancel", "2").out == (
        "job 2: cancelled; 1 job that depends on it ended with it\n"
    )
    assert orpheus("cancel", "1").out == "job 1: cancelled\n", "those ended before it"


def test_a_failed_job_is_retried(orpheus: Orpheus, store: Store, finish: Finish) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "no", None))
    code, out, _ = orpheus("retry", "1", "--json")
    assert code == 0
    assert [job["status"] for job in json.loads(out)["items"]] == ["pending"]


def test_a_job_that_is_retried_into_a_paused_queue_is_warned_of(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "no", None))
    orpheus("pause", "default", "--reason", "a release")
    code, out, err = orpheus("retry", "1")
    assert (code, out) == (0, "job 1: pending again\n")
    paused = r"queue default is paused by cli:\S+: a release, so its jobs wait; "
    assert re.search(rf"warning: {paused}`orpheus resume default` opens it\n", err)


def test_a_delayed_job_is_run_now(orpheus: Orpheus, store: Store, finish: Finish) -> None:
    store.jobs.submit(NewJob("count", delay_ms=60_000))
    assert orpheus("run", "1").out == "job 1: due now\n"
    finish(store)
    code, out, err = orpheus("run", "1", "--json")
    assert (code, json.loads(out), err.count("\n")) == (1, {"items": []}, 1)


def test_jobs_that_have_ended_are_deleted(orpheus: Orpheus, store: Store, finish: Finish) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count"), NewJob("count")])
    finish(store)
    finish(store)
    assert orpheus("delete", "2").out == "job 2: deleted\n"
    code, out, err = orpheus("delete", "1", "3", "--json")
    assert (code, json.loads(out)) == (1, {"deleted": [1]})
    assert err == "orpheus: job 3 is pending: cancel it before deleting it\n"
    assert sum(store.stats.counts().values()) == 1


def test_what_was_done_is_in_the_trail_and_what_was_refused_is_not(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    store.jobs.submit(NewJob("count", delay_ms=60_000))
    orpheus("run", "1")
    orpheus("cancel", "1", "99", "--reason", "a mistake")
    orpheus("retry", "1")
    orpheus("retry", "1")
    orpheus("cancel", "1")
    orpheus("delete", "1")
    orpheus("pause", "mail", "--reason", "the server is down")
    orpheus("resume", "mail")
    rows = entries_of(store, 99)[::-1]
    assert [(row.action, row.target) for row in rows] == [
        ("run", "job 1"),
        ("cancel", "job 1"),
        ("retry", "job 1"),
        ("cancel", "job 1"),
        ("delete", "job 1"),
        ("pause", "queue mail"),
        ("resume", "queue mail"),
    ]
    assert {row.by for row in rows} == {"cli:ada"}
    assert [row.reason for row in rows if row.reason] == ["a mistake", "the server is down"]
