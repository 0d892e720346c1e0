"""The ring of log lines that survives its process."""

from pathlib import Path

import pytest

from orpheus.shared.process.crash_cell import remove_cell
from orpheus.shared.process.last_lines import (
    NO_JOB,
    LastLine,
    LineRing,
    read_last_lines,
    ring_path,
    stray_path,
)
from tests.variants import variants


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    return tmp_path / "cells" / "life-1"


@pytest.fixture
def ring(cell: Path) -> LineRing:
    return LineRing.create(cell)


def test_lines_are_read_with_all_they_consist_of(ring: LineRing, cell: Path) -> None:
    ring.keep(8, 0, 1_000, "warning", "zwei\nZeilen é €", '{"n":1}')
    ring.keep(7, 1, 999, "info", "")
    assert read_last_lines(cell) == [
        LastLine(7, 1, 999, "info", ""),
        LastLine(8, 0, 1_000, "warning", "zwei\nZeilen é €", '{"n":1}'),
    ]


def test_a_line_that_grows_is_read_once_as_it_was_last(ring: LineRing, cell: Path) -> None:
    ring.keep(7, 0, 5, "info", "one", is_whole=False)
    ring.keep(7, 0, 5, "info", "one and two", is_whole=False)
    assert read_last_lines(cell) == [LastLine(7, 0, 5, "info", "one and two")]
    ring.keep(7, 0, 5, "info", "one and two, whole")
    ring.keep(7, 1, 5, "info", "next", is_whole=False)
    assert [one.line for one in read_last_lines(cell)] == ["one and two, whole", "next"]


@pytest.mark.parametrize("length", variants([1, 10, 117, 1_000, 65_536], 10, 117, 1_000, 65_536))
def test_the_newest_lines_are_read_and_none_that_was_never_written(
    ring: LineRing, cell: Path, length: int
) -> None:
    """The ring is filled several times, by lines of changing lengths."""
    count = 3 * 262_144 // length // 2 + 20
    written = [
        LastLine(70 + n % 3, n, n, "info", f"{n:x}" * (1 + n % length)) for n in range(count)
    ]
    for one in written:
        ring.keep(one.token, one.number, one.at_ms, one.level, one.line)
    read = sorted(read_last_lines(cell), key=lambda one: one.number)
    assert set(read) <= set(written)
    assert read[-1:] == written[-1:]
    newest = [one for one in read if one.number > count - len(read) // 2]
    assert newest == written[count - len(newest) :]


def test_a_line_that_is_longer_than_the_ring_is_left_out(ring: LineRing, cell: Path) -> None:
    ring.keep(7, 0, 5, "info", "before")
    ring.keep(7, 1, 5, "info", "x" * 300_000)
    assert [one.line for one in read_last_lines(cell)] == ["before"]


def test_stray_output_that_was_not_taken_belongs_to_the_running_job(
    ring: LineRing, cell: Path
) -> None:
    stray_path(cell).write_bytes(b"taken\nnot taken \xff\0\nnor this")
    ring.note_taken(6)
    assert [one.line for one in read_last_lines(cell, 7)] == ["not taken \\xff\\x00", "nor this"]
    assert {one.token for one in read_last_lines(cell, 7)} == {7}
    assert {one.token for one in read_last_lines(cell)} == {NO_JOB}


def test_stray_output_in_a_file_that_a_program_has_emptied_is_read_from_its_start(
    ring: LineRing, cell: Path
) -> None:
    ring.note_taken(1_000)
    stray_path(cell).write_bytes(b"after it was emptied")
    assert [one.line for one in read_last_lines(cell, 7)] == ["after it was emptied"]


def test_of_much_stray_output_the_end_is_read(ring: LineRing, cell: Path) -> None:
    stray_path(cell).write_bytes(b"x" * 1_000_000 + b"\nthe end\n")
    [*_, last] = read_last_lines(cell, 7)
    assert last.line == "the end"


def test_without_its_files_or_with_damaged_ones_nothing_is_read(cell: Path) -> None:
    assert read_last_lines(cell, 7) == []
    LineRing.create(cell)
    ring_path(cell).write_bytes(b"\0\0x\0y\0z\0info\0{}\0=line\0x\0\0\xff\xfe")
    assert read_last_lines(cell, 7) == []


def test_the_files_are_deleted_with_the_cell(ring: LineRing, cell: Path) -> None:
    stray_path(cell).touch()
    remove_cell(cell)
    assert list(cell.parent.iterdir()) == []
