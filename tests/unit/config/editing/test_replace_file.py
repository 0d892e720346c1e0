"""A file is replaced completely, only if it is what was read, and kept beside the new one."""

import stat
from pathlib import Path

import pytest

from orpheus.config.editing.replace_file import new_file, replace_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.toml"
    path.write_text("old")
    path.chmod(0o640)
    return path


def replace(path: Path, expected: bytes | None = b"old") -> bool:
    with new_file(path, b"new") as new:
        return replace_file(path, new, expected, path.with_name("a.toml.bak"))


def files(path: Path) -> dict[str, str]:
    return {one.name: one.read_text() for one in path.parent.iterdir()}


def test_what_was_read_is_replaced_with_its_mode_and_kept_beside_it(path: Path) -> None:
    for _ in range(2):
        assert replace(path)
        assert files(path) == {"a.toml": "new", "a.toml.bak": "old"}
        assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o640}
        path.write_text("old")


def test_a_save_since_then_stays(path: Path) -> None:
    path.write_text("saved")
    assert not replace(path)
    assert not replace(path, None), "there is a file by now"
    assert files(path)["a.toml"] == "saved"


def test_a_file_that_is_gone_is_put_there_for_its_owner_alone(path: Path) -> None:
    path.unlink()
    assert replace(path, None)
    assert (files(path), stat.S_IMODE(path.stat().st_mode)) == ({"a.toml": "new"}, 0o600)
