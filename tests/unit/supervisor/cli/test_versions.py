"""`orpheus config versions`, `diff` and `rollback`, with everything stopped."""

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
    versions.keep(FIRST, "file", None)
    versions.keep(SECOND, "api:10.0.0.7", "a busy week")
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


@pytest.mark.usefixtures("file")
def test_a_diff_is_of_two_versions_or_of_one_and_the_file(orpheus: Orpheus) -> None:
    same = orpheus("config", "diff")
    assert (same.code, same.out, same.err) == (0, "", "")
    told = orpheus("config", "diff", "1")
    assert told.code == 1
    assert "-workers = 1\n+workers = 3" in told.out
    back = orpheus("config", "diff", "2", "1", "--json").json
    assert (back["from"], back["to"]) == (2, 1)
    assert "+workers = 1" in back["diff"]
    assert "there is no version 9" in orpheus("config", "diff", "9").err


def test_a_secret_that_differs_is_not_shown(orpheus: Orpheus, file: Path) -> None:
    secret = SECOND + 'env = {KEY = "hush-1", SAME = "hush"}\n'
    Versions(state_files(URL).configurations, file).keep(secret, "file", None)
    file.write_text(secret.replace("hush-1", "hush-2"))
    told = orpheus("config", "diff")
    assert (told.code, told.out) == (1, "only secrets or the ends of lines differ\n")
    file.write_text(secret)
    assert orpheus("config", "diff").code == 0


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


def test_a_rollback_tells_what_restarts_and_is_in_the_audit_log(
    orpheus: Orpheus, file: Path, store: Store
) -> None:
    told = orpheus("config", "rollback", "1", "--check")
    assert (told.code, file.read_text()) == (0, SECOND)
    assert "changes pools.default.workers" in told.out
    assert "stops default-2, default-3" in told.out
    assert orpheus("config", "rollback", "1", "--reason", "too many").code == 0
    assert file.read_text() == FIRST
    (row,) = entries_of(store, 5)
    assert (row.action, row.target, row.reason) == (
        "configure", "configuration, back to version 1", "too many",
    )  # fmt: skip
    assert row.by.startswith("cli:")
    assert orpheus("config", "versions", "--json").json["items"][0]["reason"] == "too many"


def test_a_rollback_may_name_code_and_mends_a_file_that_is_no_toml(
    orpheus: Orpheus, file: Path
) -> None:
    file.write_text(FIRST.replace('["true"]', '["false"]'))
    assert orpheus("config", "rollback", "1").code == 0
    assert file.read_text() == FIRST
    file.write_text("[pools\n")
    assert orpheus("config", "rollback", "2").code == 0
    assert file.read_text() == SECOND


def test_a_rollback_to_what_the_file_holds_writes_nothing(
    orpheus: Orpheus, file: Path, store: Store
) -> None:
    told = orpheus("config", "rollback", "2")
    assert (told.code, told.out, told.err) == (0, "version 2 is in the file already\n", "")
    assert orpheus("config", "rollback", "2", "--json").json["written"] is False
    assert len(orpheus("config", "versions", "--json").json["items"]) == 2
    assert entries_of(store, 5) == []


def test_a_version_that_does_not_check_any_more_changes_nothing(
    orpheus: Orpheus, file: Path
) -> None:
    Versions(state_files(URL).configurations, file).keep("[pools]\nx = 1\n", "file", None)
    told = orpheus("config", "rollback", "3")
    assert told.code == 78
    assert "pools.x" in told.err
    assert file.read_text() == SECOND


def test_a_version_that_is_no_toml_is_named_and_not_taken_for_the_file(
    orpheus: Orpheus, file: Path
) -> None:
    Versions(state_files(URL).configurations, file).keep("[pools\n", "file", None)
    listed = orpheus("config", "versions").out.splitlines()
    assert len(listed) == 4
    told = orpheus("config", "rollback", "3")
    assert told.code == 78
    assert "version 3, line 1: is not TOML" in told.err
    assert str(file) not in told.err
    assert file.read_text() == SECOND
    for versions in (("3", "2"), ("2", "3")):
        assert "version 3 is not shown: its secrets" in orpheus("config", "diff", *versions).err
    file.write_text("[pools\n")
    assert "the file is not shown: its secrets" in orpheus("config", "diff", "2").err


def test_without_a_version_it_is_said_where_they_come_from(orpheus: Orpheus, store: Store) -> None:
    assert "first start of Orpheus" in orpheus("config", "diff").err
    assert orpheus("config", "rollback", "1").code == 1


def test_a_rollback_brings_back_a_named_file_with_everything_stopped(
    orpheus: Orpheus, file: Path
) -> None:
    file.unlink()
    named = ("--config", str(file), "--set", f"database.url={URL}")
    told = orpheus(*named, "config", "rollback", "1")
    assert (told.code, file.read_text()) == (0, FIRST), told.err
