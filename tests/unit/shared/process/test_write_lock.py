"""The lines of /proc/locks."""

import os
from pathlib import Path

import pytest

from orpheus.shared.process.write_lock import holder_of, write_locks

INODE, BYTE = 11175439, 120


def holders(text: str) -> list[tuple[int, int, int]]:
    return list(write_locks(text, INODE, BYTE))


def test_the_holder_is_found_among_the_locks_of_a_database() -> None:
    text = """\
1: POSIX  ADVISORY  WRITE 4623 fe:00:11175439 120 120
2: POSIX  ADVISORY  READ 4623 fe:00:11175439 124 124
3: POSIX  ADVISORY  READ 4624 fe:00:11175439 128 128
4: POSIX  ADVISORY  READ 4623 fe:00:11175437 1073741826 1073742335
"""
    assert holders(text) == [(0xFE, 0, 4623)]


@pytest.mark.parametrize("where", ["120 120", "0 EOF", "120 EOF", "0 120", "100 127"])
def test_a_range_covers_the_byte(where: str) -> None:
    assert holders(f"7: POSIX  ADVISORY  WRITE 12 08:01:{INODE} {where}\n") == [(8, 1, 12)]


@pytest.mark.parametrize("where", ["121 EOF", "0 119", "121 127", "1073741824 1073741825"])
def test_a_range_may_not_cover_the_byte(where: str) -> None:
    assert not holders(f"7: POSIX  ADVISORY  WRITE 12 08:01:{INODE} {where}\n")


def test_a_process_that_waits_for_the_lock_does_not_hold_it() -> None:
    text = """\
1: POSIX  ADVISORY  WRITE 10 fe:00:11175439 120 120
1: -> POSIX  ADVISORY  WRITE 11 fe:00:11175439 120 120
1:  -> POSIX  ADVISORY  WRITE 12 fe:00:11175439 120 120
"""
    assert [pid for _, _, pid in holders(text)] == [10]


@pytest.mark.parametrize(
    "line",
    [
        "1: POSIX  ADVISORY  READ  10 fe:00:11175439 120 120",
        "1: FLOCK  ADVISORY  WRITE 10 fe:00:11175439 0 EOF",
        "1: OFDLCK ADVISORY  WRITE -1 fe:00:11175439 120 120",
        "1: POSIX  ADVISORY  WRITE 10 fe:00:1175439 120 120",
        "1: POSIX  ADVISORY",
        "",
    ],
)
def test_other_locks_are_ignored(line: str) -> None:
    assert not holders(line)


def test_the_same_inode_on_another_device_is_told_apart() -> None:
    text = """\
1: POSIX  ADVISORY  WRITE 10 08:11:11175439 120 120
2: POSIX  ADVISORY  WRITE 11 103:05:11175439 120 120
"""
    assert holders(text) == [(0x8, 0x11, 10), (0x103, 0x5, 11)]


def test_where_the_kernel_names_another_device_the_holder_has_the_file_open(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    with file.open("w"):
        found = file.stat()
        locks = f"1: POSIX  ADVISORY  WRITE {os.getpid()} 00:ff:{found.st_ino} 120 120\n"
        assert holder_of(found, locks) == os.getpid()
    assert holder_of(found, locks) is None, "another file of that number, elsewhere"
