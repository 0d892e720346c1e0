"""`orpheus db check`, `verify` and `backup`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store

Orpheus = Callable[..., Any]
Finish = Callable[..., None]


def test_a_sound_database_checks_and_verifies(
    orpheus: Orpheus, store: Store, finish: Finish
) -> None:
    store.jobs.submit(NewJob("count"))
    finish(store)
    assert orpheus("db", "check")[:2] == (0, "no damage found\n")
    assert orpheus("db", "verify")[:2] == (0, "every invariant holds\n")
    assert orpheus("db", "verify", "--json").json == {"ok": True, "problems": []}


@pytest.mark.parametrize(("command", "code"), [("check", 74), ("verify", 1)])
def test_what_is_wrong_is_told_line_by_line(
    command: str, code: int, orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problems(_: object) -> list[str]:
        return ["one thing", "another"]

    monkeypatch.setattr(type(store.maintenance), command, problems)
    answer = orpheus("db", command)
    assert answer[:2] == (code, "one thing\nanother\n")
    assert ("orpheus db backup" in answer.err) == (command == "check"), "what to do next"
    told = orpheus("db", command, "--json")
    assert (told.code, told.json) == (code, {"ok": False, "problems": ["one thing", "another"]})


def test_a_backup_is_a_database_and_overwrites_nothing(
    orpheus: Orpheus, store: Store, tmp_path: Path
) -> None:
    store.jobs.submit(NewJob("count"))
    assert orpheus("db", "backup", "copy.db", "--json").json == {
        "file": "copy.db",
        "bytes": (tmp_path / "copy.db").stat().st_size,
    }
    for target in ("copy.db", "nowhere/copy.db"):
        code, out, err = orpheus("db", "backup", target)
        assert (code, out, err.count("\n")) == (1, "", 1)
    (job,) = orpheus("jobs", "--json", "--set", "database.url=sqlite:///copy.db").json["items"]
    assert job["id"] == 1
