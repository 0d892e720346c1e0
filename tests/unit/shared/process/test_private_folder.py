"""A folder of ours belongs to its owner, or is refused with a reason."""

import errno
import os
from pathlib import Path

import pytest

from orpheus.shared.errors import DatabaseFull, DatabaseUnusable
from orpheus.shared.process.private_folder import make_private_folder, refuse_link


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "state"
    make_private_folder(folder)
    make_private_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_one_that_everyone_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(DatabaseUnusable, match="is writable by everyone"):
        make_private_folder(tmp_path)


def test_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(DatabaseUnusable, match=r"cannot make .*/state: File exists"):
        make_private_folder(tmp_path / "state")


def test_a_link_is_refused(tmp_path: Path) -> None:
    refuse_link(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(DatabaseUnusable, match="link is a symbolic link"):
        refuse_link(tmp_path / "link")


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, DatabaseFull), (errno.EROFS, DatabaseUnusable)]
)
def test_a_full_and_a_read_only_disk_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def mkdir(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(error, match=r"/state"):
        make_private_folder(tmp_path / "state")
