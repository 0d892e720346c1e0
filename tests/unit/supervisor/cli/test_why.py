"""`orpheus why`, and the first reason that `show` tells."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]


def test_it_says_what_holds_a_job_back_and_how_to_let_it_run(
    orpheus: Orpheus, supervised: Store
) -> None:
    supervised.jobs.submit(NewJob("count", delay_ms=90_500))
    orpheus("pause", "default", "--reason", "a \x1b[31mtest")
    code, out, err = orpheus("why", "1")
    assert (code, err) == (1, "")
    head, *reasons = out.splitlines()
    assert head == "job 1 (count) does not run:"
    assert all(reason.startswith("  - ") for reason in reasons)
    assert re.search(rf" until {TIME}\n", out)
    assert "a \\x1b[31mtest" in out and "\x1b" not in out
    answer = orpheus("why", "1", "--json").json
    assert answer["runs"] is False
    assert {reason["code"] for reason in answer["reasons"]} == {"run_at", "queue_paused"}
    shown = orpheus("show", "1").out
    assert re.search(r"^waits +.*; 1 more: orpheus why 1\n", shown, re.MULTILINE)


@pytest.mark.usefixtures("supervised")
def test_it_says_where_a_job_runs_and_that_it_has_ended(
    orpheus: Orpheus, store: Store, finish: Callable[..., None]
) -> None:
    store.jobs.submit_many([NewJob("count"), NewJob("count")])
    assert orpheus("why", "1") == (0, "job 1 (count) runs next: nothing holds it back\n", "")
    finish(store)
    store.leases.lease(Holder("default-1", "life-of-default-1", 7), ("*",), 1, 30_000)
    assert orpheus("why", "1") == (1, "job 1 (count) has ended:\n  - it is done\n", "")
    assert orpheus("why", "2") == (0, "job 2 (count) runs on default-1\n", "")
    assert orpheus("why", "2", "--json").json == {"runs": True, "reasons": []}


def test_it_says_why_a_queue_starts_no_job(orpheus: Orpheus, supervised: Store) -> None:
    assert orpheus("why", "mail") == (0, "queue mail has no due job\n", "")
    supervised.jobs.submit_many([NewJob("words", queue="mail")] * 2)
    running = "queue mail runs: nothing holds back its next job\n"
    assert orpheus("why", "mail") == (0, running, "")
    orpheus("pause", "mail", "--reason", "spam")
    code, out, _ = orpheus("why", "mail")
    head, reason = out.splitlines()
    assert (code, head) == (1, "queue mail starts no job (2 due jobs):")
    assert re.fullmatch(r"  - queue mail is paused by .*: spam \(orpheus resume mail\)", reason)
    assert [item["code"] for item in orpheus("why", "mail", "--json").json["reasons"]] == [
        "queue_paused"
    ]
    assert orpheus("why", "mial").err == "orpheus: there is no queue 'mial'; did you mean 'mail'?\n"
