"""The versions of the configuration file: none is lost, and there are never too many."""

import stat
import threading
from pathlib import Path

import pytest

from orpheus.config.editing import versions as module
from orpheus.config.editing.versions import Versions
from orpheus.shared.operations.configuration import BY_HAND, ConfigurationVersion


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "kept", tmp_path / "orpheus.toml")


def keep(versions: Versions, text: str, by: str, reason: str | None) -> ConfigurationVersion:
    with versions.replacing(None, text, by, reason):
        pass
    return versions.all()[0]


def test_the_newest_comes_first_with_who_and_why(versions: Versions, tmp_path: Path) -> None:
    keep(versions, "a = 1\r\n", "api:127.0.0.1", "a busy week")
    keep(versions, "a = 2", "cli:ada", None)
    newest, first = versions.all()
    assert (newest.number, newest.text, newest.by, newest.reason) == (2, "a = 2", "cli:ada", None)
    assert (first.number, first.text, first.reason) == (1, "a = 1\r\n", "a busy week")
    assert (versions.get(1), versions.get(3)) == (first, None)
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "kept").iterdir()} == {0o600}


def test_what_is_found_in_the_file_is_kept_once(versions: Versions) -> None:
    assert versions.keep_found("a = 1").by == BY_HAND
    assert versions.keep_found("a = 1").number == 1
    keep(versions, "a = 2", "api:x", None)
    assert versions.keep_found("a = 2").by == "api:x", "it is known who wrote it"
    assert versions.keep_found("a = 1").number == 3


def test_the_oldest_of_a_file_go_where_there_are_too_many_or_they_are_too_large(
    versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    other = Versions(tmp_path / "kept", tmp_path / "other.toml")
    for n in range(3):
        keep(versions, f"a = {n}", "x", None)
        keep(other, f"b = {n}", "x", None)
    assert [one.text for one in versions.all()] == ["a = 2", "a = 1"]
    assert [one.text for one in other.all()] == ["b = 2", "b = 1"]
    monkeypatch.setattr(module, "_MOST_BYTES", 1500)
    keep(versions, "b" * 1000, "x", None)
    keep(versions, "c" * 1000, "x", None)
    assert [one.number for one in versions.all()] == [8], "the newest always stays"


def test_what_cannot_be_read_does_not_count(versions: Versions, tmp_path: Path) -> None:
    assert versions.all() == []
    keep(versions, "a = 1", "x", None)
    (tmp_path / "kept" / "00000009.json").write_text("{")
    (tmp_path / "kept" / "notes.txt").write_text("")
    assert [one.text for one in versions.all()] == ["a = 1"]
    assert keep(versions, "a = 2", "x", None).number == 10
    (tmp_path / "file").write_text("")
    assert Versions(tmp_path / "file", tmp_path / "orpheus.toml").all() == []


def test_a_version_that_was_not_put_in_place_is_forgotten(versions: Versions) -> None:
    with pytest.raises(OSError, match="full"), versions.replacing("a = 1", "a = 2", "x", None):
        raise OSError("full")
    assert [one.text for one in versions.all()] == ["a = 1"]


def test_a_supervisor_that_looks_during_an_edit_keeps_nothing_twice(
    versions: Versions, tmp_path: Path
) -> None:
    def supervisor() -> None:
        mine = Versions(tmp_path / "kept", tmp_path / "orpheus.toml")
        mine.keep_found("a = 2")

    looks = threading.Thread(target=supervisor)
    with versions.replacing("a = 1", "a = 2", "api:x", "a busy week"):
        looks.start()
        looks.join(0.2)  # the supervisor gets as far as it can
        assert looks.is_alive()
    looks.join()
    assert [(one.number, one.by) for one in versions.all()] == [(2, "api:x"), (1, BY_HAND)]
