"""`orpheus queues`, `pause` and `resume`."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import TIME, WORKER

Orpheus = Callable[..., Any]


def test_queues_are_listed_with_their_limits_and_why_none_starts(
    orpheus: Orpheus, supervised: Store, finish: Callable[..., None]
) -> None:
    per_key = KeyRules(3, Rate(7, 60))
    mail = QueueRules(max_running=1, rate=Rate(50, 1), per_key=per_key)
    supervised.queues.configure({"mail": mail})
    supervised.jobs.submit_many([NewJob("count"), NewJob("count")])
    finish(supervised)
    supervised.jobs.submit_many([NewJob("words", queue="mail")] * 2)
    assert len(supervised.leases.lease(WORKER, ("mail",), 2, 30_000)) == 1
    code, out, err = orpheus("queues")
    assert (code, err) == (0, "")
    head, first, second = [re.split("  +", line) for line in out.splitlines()]
    assert head == [
        "QUEUE", "STATE", "AT ONCE", "RATE", "PER KEY",
        "BLOCKED", "PENDING", "IN_PROGRESS", "DONE", "FAILED", "CANCELLED",
        "OLDEST", "IN/MIN", "OUT/MIN", "EMPTY IN", "WITH MORE", "WHY",
    ]  # fmt: skip
    assert first[:11] == ["default", "open", "-", "-", "-", *"010100"]
    assert re.fullmatch(r"\+1: \d+ m?s, \+3: \d+ m?s", first[-2])
    assert second[:11] == ["mail", "open", "1", "50/s", "3, 7/m", *"011000"]
    assert second[-1] == "queue mail is at its limit (1 running and 50/s)"
    default, listed = orpheus("queues", "--json").json["items"]
    assert (default["due"], default["counts"]["done"], default["reason"]) == (1, 1, None)
    assert (listed["paused"], listed["limits"]["max_running"]) == (None, 1)


def test_a_queue_is_paused_and_resumed(orpheus: Orpheus, supervised: Store) -> None:
    supervised.jobs.submit(NewJob("count", queue="mail"))
    assert orpheus("pause", "mail", "--reason", "spam\x1b run") == (0, "queue mail: paused\n", "")
    assert orpheus("pause", "mail", "--json").json["paused"]["reason"] == "spam\x1b run"
    again = orpheus("pause", "mail", "--reason", "flood").out
    since = rf"already paused by cli:\S+ since {TIME}: spam\\x1b run; the reason is now: flood\n"
    assert re.fullmatch(f"queue mail: {since}", again)
    assert supervised.leases.lease(WORKER, ("*",), 1, 30_000) == []
    row = orpheus("queues").out.splitlines()[1]
    assert row.split()[:2] == ["mail", "paused"]
    assert re.search(rf"  cli:\S+: flood \({TIME}\)$", row)
    other = ("--set", 'pools.default.queues=["default"]')
    served = orpheus("resume", "mail", *other).out
    assert re.fullmatch("queue mail: resumed, but no pool serves .*\n", served)
    assert orpheus("queues", *other).out.splitlines()[1].split()[1] == "no"
    assert orpheus("resume", "mail", "--json").json["paused"] is None
    assert len(supervised.leases.lease(WORKER, ("*",), 1, 30_000)) == 1


def test_pausing_an_unknown_queue_asks_on_a_terminal_and_refuses_in_a_pipe(
    orpheus: Orpheus, supervised: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = "there is no queue 'mial'; did you mean 'mail'?"
    refused = f"orpheus: {unknown} (--create creates and pauses it)\n"
    assert orpheus("pause", "mial") == (1, "", refused)
    assert orpheus("resume", "mial") == (1, "", f"orpheus: {unknown}\n")
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda question: question is None)
    assert orpheus("pause", "mial").code == 1
    assert "mial" not in supervised.waiting.pauses()
    monkeypatch.setattr("click.confirm", lambda question: unknown in question)
    assert orpheus("pause", "mial").code == 0
    assert orpheus("pause", "bulk", "--create").code == 0
    assert {"mial", "bulk"} <= supervised.waiting.pauses().keys()
