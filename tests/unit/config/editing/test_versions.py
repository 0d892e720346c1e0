"""The versions of the configuration file: none is lost, and there are never too many."""

import hashlib
import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from orpheus.config.editing import versions as module
from orpheus.config.editing.versions import Versions
from orpheus.shared.operations.configuration import BY_HAND, ConfigurationVersion
from tests.machine import wait_until


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "kept", tmp_path / "orpheus.toml")


def test_the_newest_comes_first_with_who_and_why(versions: Versions) -> None:
    versions.keep("a = 1\r\n", "api:127.0.0.1", "a busy week")
    versions.keep("a = 2", "cli:ada", None)
    newest, first = versions.all()
    assert (newest.number, newest.text, newest.by, newest.reason) == (2, "a = 2", "cli:ada", None)
    assert (first.number, first.text, first.reason) == (1, "a = 1\r\n", "a busy week")
    assert versions.get(1) == first
    assert versions.newest() == newest


def test_what_is_found_in_the_file_is_kept_once(versions: Versions) -> None:
    assert versions.keep_found("a = 1").by == BY_HAND
    assert versions.keep_found("a = 1").number == 1
    versions.keep("a = 2", "api:x", None)
    assert versions.keep_found("a = 2").by == "api:x", "it is known who wrote it"
    assert versions.keep_found("a = 1").number == 3


def test_only_this_user_may_read_them(versions: Versions, tmp_path: Path) -> None:
    versions.keep("secret = 1", "x", None)
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    (file,) = (tmp_path / "kept").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_that_keep_one_at_the_same_time_lose_none(tmp_path: Path) -> None:
    def keep(who: str) -> None:
        mine = Versions(tmp_path / "kept", tmp_path / "orpheus.toml")
        for n in range(10):
            mine.keep(f"{who} {n}", who, None)

    threads = [threading.Thread(target=keep, args=(who,)) for who in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = Versions(tmp_path / "kept", tmp_path / "orpheus.toml").all()
    assert [one.number for one in kept] == list(range(30, 0, -1))
    assert len({one.text for one in kept}) == 30


def test_the_oldest_go_where_there_are_too_many_or_they_are_too_large(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    for n in range(5):
        versions.keep(f"a = {n}", "x", None)
    assert [one.number for one in versions.all()] == [5, 4, 3]
    monkeypatch.setattr(module, "_MOST_BYTES", 1500)
    versions.keep("b" * 1000, "x", None)
    versions.keep("c" * 1000, "x", None)
    assert [one.number for one in versions.all()] == [7], "the newest always stays"


def test_two_files_in_turn_do_not_push_each_other_out(
    versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    other = Versions(tmp_path / "kept", tmp_path / "other.toml")
    for n in range(3):
        versions.keep(f"a = {n}", "x", None)
        other.keep(f"b = {n}", "x", None)
    assert [one.text for one in versions.all()] == ["a = 2", "a = 1"]
    assert [one.text for one in other.all()] == ["b = 2", "b = 1"]


def test_those_of_another_file_and_what_cannot_be_read_do_not_count(
    versions: Versions, tmp_path: Path
) -> None:
    versions.keep("a = 1", "x", None)
    Versions(tmp_path / "kept", tmp_path / "other.toml").keep("b = 1", "x", None)
    (tmp_path / "kept" / "00000009.json").write_text("{")
    (tmp_path / "kept" / "notes.txt").write_text("")
    assert [one.text for one in versions.all()] == ["a = 1"]
    assert versions.keep("a = 2", "x", None).number == 10


def test_a_version_that_was_not_put_in_place_is_forgotten(versions: Versions) -> None:
    versions.forget(versions.keep("a = 1", "x", None).number)
    assert versions.all() == []
    assert versions.newest() is None


def test_what_is_replaced_at_this_moment_is_kept_once(versions: Versions, tmp_path: Path) -> None:
    """A supervisor that looks while an edit is between its version and its file."""
    file = tmp_path / "orpheus.toml"
    file.write_text("a = 1")
    found: list[ConfigurationVersion] = []

    def supervisor() -> None:
        mine = Versions(tmp_path / "kept", file)
        found.append(mine.keep_found("a = 1"))
        found.append(mine.keep_found("a = 2"))

    looks = threading.Thread(target=supervisor)
    with versions.replacing("a = 1", "a = 2", "api:x", "a busy week"):
        looks.start()
        looks.join(0.3)  # the supervisor gets as far as it can
        file.write_text("a = 2")
    looks.join()
    assert [(one.number, one.by) for one in versions.all()] == [(2, "api:x"), (1, BY_HAND)]
    assert [one.number for one in found] == [1, 2]


def test_a_lock_that_is_never_given_back_stops_nobody(
    versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.05)
    with versions.replacing("a = 1", "a = 2", "api:x", None):
        assert versions.keep_found("a = 3").number == 3


def test_no_folder_is_no_version(tmp_path: Path) -> None:
    assert Versions(tmp_path / "none", tmp_path / "orpheus.toml").all() == []
    (tmp_path / "file").write_text(json.dumps({}))
    assert Versions(tmp_path / "file", tmp_path / "orpheus.toml").all() == []


# What was not taken


def test_a_version_that_is_rejected_says_so_until_it_is_taken(
    versions: Versions, tmp_path: Path
) -> None:
    versions.keep("a = 1", "file", None)
    versions.keep("a = 2", "api:x", None)
    (tmp_path / "orpheus.toml").write_text("a = 2")
    versions.note_rejected(1, "a = 2", "a: must be 1")
    assert [one.rejection for one in versions.all()] == ["a: must be 1", None]
    assert versions.rejection("a = 2") == "a: must be 1"
    assert versions.keep_found("a = 2").rejection is None
    assert [one.rejection for one in versions.all()] == [None, None]


def test_a_rejection_that_was_noted_without_a_reason_stays_one(
    versions: Versions, tmp_path: Path
) -> None:
    versions.keep("a = 1", "file", None)
    digest = hashlib.sha256(b"a = 1").hexdigest()
    (tmp_path / "kept" / ".rejected").write_text(json.dumps({"1": digest}))
    assert [one.rejection for one in versions.all()] == [""]


def test_a_text_that_was_mended_while_it_was_checked_is_not_noted_as_rejected(
    versions: Versions, tmp_path: Path
) -> None:
    versions.keep("a = 1", "file", None)
    (tmp_path / "orpheus.toml").write_text("a = 3")
    versions.note_rejected(1, "a = 2", "a: must be odd")
    assert [versions.rejection(text) for text in ("a = 2", "a = 3")] == [None, None]


@pytest.mark.parametrize("noted", [{"1": None}, {"1": 7}, {"1": ["digest"]}, {"one": ""}, [], 7])
def test_a_damaged_note_of_what_was_rejected_hides_no_version(
    versions: Versions, tmp_path: Path, noted: object
) -> None:
    versions.keep("a = 1", "file", None)
    (tmp_path / "kept" / ".rejected").write_text(json.dumps(noted))
    assert versions.rejection("a = 1") is None
    assert [one.text for one in versions.all()] == ["a = 1"]


def test_a_text_that_is_rejected_says_so_once_it_is_a_version_with_when_it_was_saved(
    versions: Versions, tmp_path: Path
) -> None:
    file = tmp_path / "orpheus.toml"
    versions.keep("a = 1", "file", None)
    first_ms = versions.all()[0].at_ms
    file.write_text("a = [")
    saved_ms = first_ms + 5
    os.utime(file, ns=(saved_ms * 1_000_000, saved_ms * 1_000_000))
    wait_until(lambda: time.time_ns() > (saved_ms + 5) * 1_000_000, "a later time")
    versions.note_rejected(1, "a = [", "no TOML")
    assert versions.rejection("a = [") == "no TOML"
    with versions.replacing("a = [", "a = 1", "api:x", None):
        pass
    newest, broken, first = versions.all()
    assert [newest.rejection, broken.rejection, first.rejection] == [None, "no TOML", None]
    assert broken.at_ms == saved_ms < newest.at_ms


def test_the_version_in_force_is_not_rejected_and_neither_is_a_file_that_is_gone(
    versions: Versions, tmp_path: Path
) -> None:
    versions.note_rejected(None, "a = 1", "it is gone")
    versions.keep("a = 1", "file", None)
    (tmp_path / "orpheus.toml").write_text("a = 1")
    versions.note_rejected(1, "a = 1", "a port is taken")
    assert versions.rejection("a = 1") is None


def test_an_old_file_is_not_older_than_the_version_before_it(
    versions: Versions, tmp_path: Path
) -> None:
    before = versions.keep("a = 1", "file", None)
    file = tmp_path / "orpheus.toml"
    file.write_text("a = 2")
    os.utime(file, (1, 1))
    assert versions.keep_found("a = 2").at_ms == before.at_ms
