"""`orpheus db move` and `db reopen`: what they print, and what they exit with."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store, open_store, state_files
from orpheus.supervisor.startup import lock_database

Orpheus = Callable[..., Any]

HERE = "sqlite:///data/orpheus.db"
THERE = "sqlite:///there/orpheus.db"
AT = ("--set", f"database.url={THERE}")


def test_a_move_says_how_much_it_moved_and_what_to_do_now(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit_many([NewJob("count")] * 3)
    code, out, err = orpheus("db", "move", HERE, THERE)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["TABLE", "ROWS"]
    assert ["jobs", "3"] in lines and ["schedules", "0"] in lines
    assert out.endswith(f"Moved and verified. Now set database.url to {THERE}.\n")
    assert orpheus("jobs", "--json", *AT).json["total"]["value"] == 3
    assert orpheus("submit", "count", "n=1", *AT).code == 0


def test_a_database_that_was_moved_can_be_opened_again(orpheus: Orpheus, store: Store) -> None:
    store.jobs.submit(NewJob("count"))
    assert orpheus("db", "move", HERE, THERE).code == 0
    code, out, err = orpheus("submit", "count", "n=1")
    assert (code, out) == (74, "")
    assert f"{HERE} was moved to {THERE}" in err and "orpheus db reopen" in err
    assert orpheus("jobs", "--json").json["total"]["value"] == 1, "it may be looked at"
    moved = f"{HERE} was moved to {THERE}: set database.url to that one"
    (concern,) = orpheus("status", "--json").json["verdict"]["concerns"]
    assert (
        concern["text"].startswith(f"Orpheus is not running: {moved}")
        and concern["command"] is None
    )
    assert f"Orpheus is not running: {moved}" in orpheus("why", "1").out
    assert f"Orpheus is not running: {moved}" in orpheus("queues").err
    for command in (("verify",), ("check",), ("backup", "copy.db")):
        code, _, err = orpheus("db", *command)
        assert (code, err.startswith(f"orpheus: {moved}")) == (0, True), command
    assert orpheus("db", "reopen")[:2] == (0, f"{HERE} can be used again\n")
    assert orpheus("submit", "count", "n=1").code == 0
    code, out, err = orpheus("db", "reopen")
    assert (code, out, err) == (1, "", f"orpheus: {HERE} is open: it was not moved\n")


@pytest.mark.parametrize("which", [HERE, THERE])
def test_a_database_with_a_supervisor_is_not_moved(
    orpheus: Orpheus, store: Store, which: str
) -> None:
    lock_fd = lock_database(state_files(which))
    try:
        code, out, err = orpheus("db", "move", HERE, THERE)
        assert (code, out, err.count("\n")) == (75, "", 1)
        assert "stop it first" in err
        assert which == THERE or orpheus("db", "reopen").code == 75
    finally:
        os.close(lock_fd)
    assert orpheus("db", "move", HERE, THERE).code == 0


@pytest.mark.parametrize(
    ("source", "target", "code", "says"),
    [
        ("sqlite:///none/orpheus.db", THERE, 74, "there is no database at"),
        ("mysql://here", THERE, 78, "not a supported database"),
        (HERE, "there.db", 78, "not a supported database"),
        (HERE, HERE, 1, "is not empty"),
        (HERE, "sqlite:///full/orpheus.db", 1, "is not empty"),
    ],
)
def test_what_cannot_be_moved_is_one_line_and_the_right_code(
    orpheus: Orpheus, store: Store, source: str, target: str, code: int, says: str
) -> None:
    full = open_store("sqlite:///full/orpheus.db", create=True)
    full.jobs.submit(NewJob("count"))
    full.close()
    store.jobs.submit(NewJob("count"))
    found = orpheus("db", "move", source, target)
    assert (found.code, found.out, found.err.count("\n")) == (code, "", 1)
    assert says in found.err
    assert orpheus("submit", "count", "n=1").code == 0, "nothing was closed"
