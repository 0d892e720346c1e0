"""A file is replaced only if it is what was read, whatever an editor does at which moment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.editing import replace_file as module
from orpheus.config.editing.replace_file import exchange, new_file, replace_file

Save = Callable[[Path, str], None]


def by_rename(path: Path, text: str) -> None:
    new = path.with_name("editor.tmp")
    new.write_text(text)
    new.replace(path)


def in_place(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.toml"
    path.write_text("old")
    return path


@pytest.fixture
def before_exchange(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Does one thing before each of the next exchanges: the moments that nobody can lock."""

    def plan(*things: Callable[[], object]) -> None:
        waiting = list(things)

        def act_and_exchange(one: Path, other: Path) -> None:
            if waiting:
                waiting.pop(0)()
            exchange(one, other)

        monkeypatch.setattr(module, "exchange", act_and_exchange)

    return plan


def replace(path: Path) -> bool:
    with new_file(path, b"new") as new:
        return replace_file(path, new, b"old", path.with_name("a.toml.bak"))


def files(path: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in path.parent.iterdir()}


def test_what_was_read_is_replaced_and_kept_beside_it(path: Path) -> None:
    assert replace(path)
    assert files(path) == {"a.toml": "new", "a.toml.bak": "old"}


@pytest.mark.parametrize("save", [by_rename, in_place])
def test_a_save_at_the_last_moment_stays(
    path: Path, before_exchange: Callable[..., None], save: Save
) -> None:
    before_exchange(lambda: save(path, "saved"))
    assert not replace(path)
    assert files(path) == {"a.toml": "saved"}


@pytest.mark.parametrize("save", [by_rename, in_place])
def test_a_save_after_the_file_was_replaced_stays(path: Path, save: Save) -> None:
    assert replace(path)
    save(path, "saved")
    assert path.read_text() == "saved"


def test_of_two_saves_the_later_one_stays(path: Path, before_exchange: Callable[..., None]) -> None:
    before_exchange(lambda: by_rename(path, "first"), lambda: by_rename(path, "second"))
    assert not replace(path)
    assert files(path) == {"a.toml": "second"}


def test_an_editor_that_has_the_file_open_for_writing_keeps_it(path: Path) -> None:
    with path.open("r+") as editor:
        assert not replace(path)
        editor.write("saved")
    assert files(path) == {"a.toml": "saved"}


def test_a_file_that_others_read_is_replaced(path: Path) -> None:
    with path.open() as reader:
        assert replace(path)
        assert reader.read() == "old"


def test_without_an_exchange_in_one_step_nothing_is_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_libc", object())
    with pytest.raises(OSError, match="edit it there"):
        replace(path)
    assert files(path) == {"a.toml": "old"}


def test_a_backup_that_cannot_be_kept_leaves_the_file_as_it_was(path: Path) -> None:
    path.with_name("a.toml.bak").mkdir()
    with pytest.raises(IsADirectoryError):
        replace(path)
    assert path.read_text() == "old"
    assert len(list(path.parent.iterdir())) == 2
