"""The output of a program in files: bounded, found by id, whole after a crash."""

from pathlib import Path

import pytest

from orpheus.shared.process.program_logs import (
    LogFiles,
    read_lines,
)

SIZE = 200


def line(number: int) -> bytes:
    return f"2026-01-01T00:00:00.000Z stdout line {number:04}\n".encode()


def numbers(lines: object) -> list[int]:
    return [int(one.line.split()[1]) for one in lines]  # type: ignore[attr-defined]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "programs" / "web-1"


def write(folder: Path, first: int, last: int, files: int = 3) -> None:
    log = LogFiles(folder, SIZE, files)
    for number in range(first, last):
        log.write(line(number))
    log.close()


def test_files_take_no_more_than_they_may(folder: Path) -> None:
    write(folder, 0, 100)
    files = sorted(folder.glob("*.log"))
    assert len(files) == 3
    assert all(file.stat().st_size <= SIZE for file in files)
    assert (folder / "current").resolve() == files[-1]
    assert numbers(read_lines(folder, None, None, 1_000)) == list(range(88, 100))
    assert numbers(read_lines(folder, None, None, 2)) == [98, 99]


def test_many_lines_at_once_are_spread_over_files(folder: Path) -> None:
    LogFiles(folder, SIZE, 3).write(b"".join(map(line, range(100))))
    assert all(file.stat().st_size <= SIZE for file in folder.glob("*.log"))
    assert numbers(read_lines(folder, None, None, 1_000)) == list(range(88, 100))


def test_a_line_that_is_longer_than_a_file_is_cut(folder: Path) -> None:
    log = LogFiles(folder, SIZE, 9)
    text = "a word or two, " * 40
    log.write(f"T stderr {text}\n".encode())
    log.write(line(1))
    assert all(file.stat().st_size <= SIZE for file in folder.glob("*.log"))
    *parts, last = read_lines(folder, None, None, 10)
    assert "".join(one.line for one in parts) == text
    assert {(one.at, one.stream) for one in parts} == {("T", "stderr")}
    assert last.line == "line 0001"


def test_what_follows_an_id_is_found_wherever_it_is(folder: Path) -> None:
    write(folder, 0, 10)
    found = read_lines(folder, None, None, 1_000)
    for position, one in enumerate(found):
        assert read_lines(folder, one.id, None, 1_000) == found[position + 1 :]
    assert read_lines(folder, found[3].id, None, 2) == found[4:6]
    assert read_lines(folder, None, None, 3) == found[-3:]


def test_what_is_before_an_id_is_found_wherever_it_is(folder: Path) -> None:
    write(folder, 0, 100)
    found = read_lines(folder, None, None, 1_000)
    for position, one in enumerate(found):
        assert read_lines(folder, None, one.id, 1_000) == found[:position]
    assert read_lines(folder, None, found[9].id, 2) == found[7:9]
    assert read_lines(folder, None, found[3].id - 5, 1_000) == found[:3]
    assert read_lines(folder, None, 0, 10) == []
    assert read_lines(folder, None, 10**9, 2) == found[-2:]


def test_all_that_is_kept_is_read_backwards_a_page_at_a_time(folder: Path) -> None:
    log = LogFiles(folder, 2**20, 9)
    log.write(b"".join(b"T stdout line %04d %s\n" % (n, b"x" * 16_000) for n in range(200)))
    log.close()
    pages = [read_lines(folder, None, None, 1_000)]
    while page := read_lines(folder, None, pages[0][0].id, 1_000):
        pages.insert(0, page)
    assert [n for page in pages for n in numbers(page)] == list(range(200))
    assert len(pages) > 2, "no page has more than a MiB"


def test_ids_go_on_after_a_restart_though_only_one_file_is_kept(folder: Path) -> None:
    write(folder, 0, 10, files=1)
    before = read_lines(folder, None, None, 1)[0].id
    write(folder, 10, 11, files=1)
    assert numbers(read_lines(folder, before, None, 10)) == [10]


def test_a_line_that_a_crash_has_cut_ends_where_it_was_cut(folder: Path) -> None:
    write(folder, 0, 1)
    [file] = folder.glob("*.log")
    with file.open("ab") as cut:
        cut.write(b"2026-01-01T00:00:00.000Z stdout li")
    assert numbers(read_lines(folder, None, None, 10)) == [0]
    write(folder, 2, 3)
    lines = [one.line for one in read_lines(folder, None, None, 10)]
    assert lines == ["line 0000", "li", "line 0002"]
