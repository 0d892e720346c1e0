"""`orpheus queues QUEUE`, and what a narrow list of queues leaves out."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.test_queues import begin_worker

Orpheus = Callable[..., Any]
LONG = "invoice-rendering-heavy-eu"


def fields(out: str) -> dict[str, str]:
    """Return what is printed as names and values, of which none goes on in a further line."""
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in out.splitlines())


def narrow(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Let a terminal be so wide."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))


def test_all_of_one_queue_is_told(orpheus: Orpheus, store: Store) -> None:
    begin_worker(store)
    rules = QueueRules(max_running=2, rate=Rate(5, 1), per_key=KeyRules(3, Rate(7, 60)))
    store.queues.configure({LONG: rules})
    store.jobs.submit_many([NewJob("count", queue=LONG), NewJob("count", queue="mail")])
    told = fields(orpheus("queues", LONG).out)
    assert (told["queue"], told["state"], told["at once"]) == (LONG, "open", "2")
    assert (told["rate"], told["per key"]) == ("5/s", "3, 7/m")
    assert (told["pending"], told["due"], told["failed"]) == ("1", "1", "0")
    assert told["pools"] == "default (1 of 1 ready)"
    assert told["next"] == f"orpheus jobs --queue {LONG}"
    (item,) = orpheus("queues", LONG, "--json").json["items"]
    assert item["name"] == LONG


def test_the_reason_of_one_queue_is_whole_however_narrow_the_terminal_is(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit(NewJob("count", queue="mail"))
    reason = "the mail server is down until the people of the data centre are back, ticket 4711"
    orpheus("pause", "mail", "--reason", reason)
    for width in (40, 80):
        narrow(monkeypatch, width)
        out = orpheus("queues", "mail").out
        assert max(map(len, out.splitlines())) <= width
        assert reason in " ".join(out.split())
        assert "orpheus resume mail" in " ".join(out.split())
    assert "`orpheus queues QUEUE` shows all of one" in " ".join(orpheus("queues").err.split())


def test_a_queue_that_nothing_names_is_not_shown_and_one_without_a_job_is(
    orpheus: Orpheus, store: Store
) -> None:
    store.jobs.submit(NewJob("count"))
    asked = orpheus("queues", "mial")
    assert asked.code == 1 and "did you mean 'mail'?" in asked.err
    assert fields(orpheus("queues", "mail").out)["pending"] == "0", "a type names it"


def test_a_narrow_list_says_that_nothing_runs_also_where_no_reason_has_room(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.jobs.submit(NewJob("count", queue=LONG))
    narrow(monkeypatch, 40)
    assert "nothing runs; `orpheus` starts it" in " ".join(orpheus("queues").err.split())
    begin_worker(store)
    assert "nothing runs" not in orpheus("queues").err
