"""`orpheus errors`."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Holder, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import TIME

Orpheus = Callable[..., Any]


def fail(store: Store, error: str, message: str = "why", type: str = "resize") -> None:
    store.jobs.submit(NewJob(type))
    (lease,) = store.leases.lease(Holder("default-1", "life-1", 7), ("*",), 1, 30_000)
    trace = '  File "/app/jobs.py", line 12, in resize\n'
    failed = Finished(lease, Ending.FAILED_PERMANENTLY, error=JobError(error, message, trace))
    store.leases.finish([failed])


def test_failed_jobs_are_a_row_for_each_error(orpheus: Orpheus, store: Store) -> None:
    for error in ("KeyError", "Bad\x1b[31m", "KeyError"):
        fail(store, error)
    answer = orpheus("errors")
    assert answer.code == 0
    head, first, second = answer.out.splitlines()
    assert re.split("  +", head.strip()) == [
        "TYPE", "ERROR", "WHERE", "JOBS", "LAST HOUR", "OLDEST", "LAST", "NEWEST", "MESSAGE",
    ]  # fmt: skip
    row = rf"resize +KeyError +jobs\.py:12 in resize +2 +2 +{TIME} +{TIME} +3 +why$"
    assert re.match(row, first)
    assert "Bad" in second and "\x1b" not in second


def test_one_of_several_messages_is_said_to_be_an_example(orpheus: Orpheus, store: Store) -> None:
    fail(store, "KeyError", "'hamburg'")
    fail(store, "KeyError", "'berlin'\nand more")
    _, row = orpheus("errors").out.splitlines()
    assert row.endswith(r"  e.g. 'berlin'\nand more")


def test_a_narrow_terminal_shows_what_to_retry_and_the_message_before_the_place(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "card declined for bob: no funds"
    fail(store, "PermanentError", message, "reports.monthly.customers.with_a_long_name")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    seen_ms = store.clock.wall_ms() - 3_725_000
    store._database.run("UPDATE jobs SET finished_at_ms = ?", seen_ms)
    head, row = orpheus("errors").out.splitlines()
    assert re.split("  +", head) == ["TYPE", "ERROR", "JOBS", "NEWEST", "MESSAGE"]
    assert re.split("  +", row) == [
        "reports.….with_a_long_name", "PermanentError", "1", "1", "card declined for bob…",
    ]  # fmt: skip
    monkeypatch.setenv("COLUMNS", "120")
    fail(store, "KeyError")
    assert "LAST HOUR" in orpheus("errors").out
    monkeypatch.setenv("COLUMNS", "200")
    row = orpheus("errors").out.splitlines()[-1]
    assert row.startswith("reports.monthly.customers.with_a_long_name  PermanentError")
    assert row.endswith(message)


def test_80_columns_show_where_it_was_raised_which_tells_two_rows_apart(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(store, "ConnectionError", "the mail server refused the address of the customer")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    _, row = orpheus("errors").out.splitlines()
    assert "  jobs.py:12 in r" in row and "  the mail server" in row


def test_json_is_what_the_api_answers(orpheus: Orpheus, store: Store) -> None:
    fail(store, "KeyError")
    (item,) = json.loads(orpheus("errors", "--json").out)["items"]
    assert item["where"] == "jobs.py:12 in resize"
    assert list(item) == [
        "type", "error", "where", "count", "last_hour", "hour_before", "first_seen", "last_seen",
        "newest", "message", "messages", "max_id",
    ]  # fmt: skip
