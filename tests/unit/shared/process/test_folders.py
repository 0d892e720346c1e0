"""Folders of ours are private, whatever the umask."""

import os
import stat
from pathlib import Path

import pytest

from orpheus.shared.process.folders import make_folder


def test_each_folder_that_is_made_is_private_and_those_that_are_there_stay(tmp_path: Path) -> None:
    there, folder = tmp_path / "there", tmp_path / "there" / "above" / "folder"
    before = os.umask(0)
    try:
        there.mkdir(mode=0o755)
        make_folder(folder)
        make_folder(folder)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent, there)]
    assert modes == [0o700, 0o700, 0o755]


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises((FileExistsError, NotADirectoryError)):
            make_folder(path)
