"""`orpheus config versions` and `rollback`, with everything stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.versions import Versions
from orpheus.shared.storage import Store, state_files
from tests.audit_log import entries_of
from tests.unit.supervisor.cli.conftest import URL

Orpheus = Callable[..., Any]
FIRST = '[pools.default]\nworkers = 1\n\n[[commands]]\nname = "pay"\nargv = ["true"]\n'
SECOND = FIRST.replace("workers = 1", "workers = 3")


@pytest.fixture
def file(store: Store, tmp_path: Path) -> Path:
    """A file of which there are two versions."""
    path = tmp_path / "config" / "orpheus.toml"
    path.parent.mkdir()
    path.write_text(SECOND)
    versions = Versions(state_files(URL).configurations, path)
    with versions.replacing(None, FIRST, "file", None):
        pass
    with versions.replacing(None, SECOND, "api:10.0.0.7", "a busy week"):
        pass
    return path


@pytest.mark.usefixtures("file")
def test_the_versions_are_listed_with_who_and_why(orpheus: Orpheus) -> None:
    listed = orpheus("config", "versions")
    assert listed.code == 0
    head, newest, first = listed.out.splitlines()
    assert head.split() == ["VERSION", "AT", "BY", "NOW", "REASON"]
    assert newest.startswith("2 ")
    assert "api:10.0.0.7  file  a busy week" in newest
    assert first.split()[-3:] == ["file", "-", "-"]
    assert [one["version"] for one in orpheus("config", "versions", "--json").json["items"]] == [
        2, 1,
    ]  # fmt: skip


def test_a_change_of_the_database_can_be_taken_back(orpheus: Orpheus, file: Path) -> None:
    file.write_text('[database]\nurl = "sqlite:///elsewhere/new.db"\n' + SECOND)
    by_hand = ("--set", f"database.url={URL}", "config")
    assert "there is no version 1" in orpheus("config", "rollback", "1").err
    assert orpheus(*by_hand, "rollback", "1").code == 0
    assert file.read_text() == FIRST


def test_a_rollback_needs_no_database(orpheus: Orpheus, file: Path, store: Store) -> None:
    store.close()
    Path("data/orpheus.db").rename("data/away.db")
    told = orpheus("config", "rollback", "1", "--reason", "no database")
    assert told.code == 0
    assert "the audit log is not written" in told.err
    assert file.read_text() == FIRST
    assert orpheus("config", "versions", "--json").json["items"][0]["reason"] == "no database"


def test_a_rollback_tells_what_changes_and_is_in_the_audit_log(
    orpheus: Orpheus, file: Path, store: Store
) -> None:
    told = orpheus("config", "rollback", "1", "--reason", "too many")
    assert told.code == 0
    assert "changes pools.default.workers" in told.out
    assert file.read_text() == FIRST
    (row,) = entries_of(store, 5)
    assert (row.action, row.target, row.reason) == (
        "configure", "configuration, back to version 1", "too many",
    )  # fmt: skip
    assert row.by.startswith("cli:")
    assert orpheus("config", "versions", "--json").json["items"][0]["reason"] == "too many"


def test_a_version_that_does_not_check_any_more_changes_nothing(
    orpheus: Orpheus, file: Path
) -> None:
    Versions(state_files(URL).configurations, file).keep_found("[pools]\nx = 1\n")
    told = orpheus("config", "rollback", "3")
    assert told.code == 78
    assert "pools.x" in told.err
    assert file.read_text() == SECOND
