"""How figures are written for people."""

import sys
from datetime import UTC, datetime

import pytest

from orpheus.supervisor.cli.output import (
    duration,
    line_time,
    mebibytes,
    print_table,
    since,
    styled,
    time_in,
    when,
)
from orpheus.supervisor.cli.table import Column


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (0, "0 s"),
        (0.012, "12 ms"),
        (1, "1 s"),
        (3.24, "3.2 s"),
        (60, "1 min"),
        (245, "4 min 5 s"),
        (7_380, "2 h 3 min"),
        (3_605, "1 h"),
        (439_200, "5 d 2 h"),
    ],
)
def test_a_span_of_time_is_told_in_the_units_that_matter(
    seconds: float | None, text: str | None
) -> None:
    assert duration(seconds) == text


def test_a_moment_is_told_from_now_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert since(1_000, 3_000) == "2 s ago"
    assert since(3_000, 1_000) == "in 2 s"
    assert since(None, 0) is None


def test_a_moment_is_told_as_a_time_in_a_pipe() -> None:
    text = since(1_000, 3_000)
    assert text is not None
    assert datetime.fromisoformat(text) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert when(1_000, 3_000) == text
    assert since(None, 0) is when(None, 0) is None


def test_a_moment_is_told_both_ways_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    at = datetime(2026, 11, 28, 8, 43, 42).astimezone()
    at_ms = round(at.timestamp() * 1000)
    assert when(at_ms, at_ms + 2_000) == "2 s ago (2026-11-28 08:43:42)"


def test_a_line_of_a_log_has_its_day_unless_it_is_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.fromisoformat("2026-03-01T00:00:01").astimezone()
    today, before, last_year = (
        round(datetime.fromisoformat(at).timestamp() * 1000)
        for at in ("2026-03-01T00:00:00.007", "2026-02-28T23:59:59", "2025-03-01")
    )
    told = datetime.fromisoformat(line_time(today, now))
    assert round(told.timestamp() * 1000) == today
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert line_time(today, now) == "00:00:00.007"
    assert line_time(before, now) == "02-28 23:59:59.000"
    assert line_time(last_year, now) == "2025-03-01 00:00:00.000"


def test_memory_is_told_in_mebibytes() -> None:
    assert mebibytes(44_565_504) == "42.5 MiB"


def test_a_moment_is_told_in_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_in("2026-07-01T01:30:00Z", "Europe/Berlin") == "2026-07-01T03:30:00+02:00"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert time_in("2026-07-01T01:30:00Z", "Europe/Berlin") == "2026-07-01 03:30 CEST"
    assert time_in("2026-01-01T00:00:07.5Z", "UTC") == "2026-01-01 00:00:07 UTC"


@pytest.mark.parametrize(
    ("no_color", "is_terminal", "coloured"),
    [("", True, True), ("1", True, False), ("", False, False)],
)
def test_colours_are_for_terminals_and_people_who_want_them(
    no_color: str, is_terminal: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert (styled("done", fg="green") != "done") == coloured


def test_a_dumb_terminal_is_given_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert styled("done", fg="green") == "done"


def test_a_table_fits_into_a_terminal_and_is_whole_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns, rows = ("ID", Column("WORKER", 1), Column("NOTE", least=12)), [(7, None, "x" * 99)]
    print_table(columns, rows)
    assert capsys.readouterr() == (f"ID  WORKER  NOTE\n7   -       {'x' * 99}\n", "")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    print_table(columns, rows)
    assert capsys.readouterr().out == f"ID  NOTE\n7   {'x' * 15}…\n"
    print_table((*columns, Column("PID", 2)), [(*rows[0], 4711)])
    told = capsys.readouterr().err
    assert told == "left out at this\n  width: PID\n", "it is broken at words"
    print_table((*columns, Column("PID", 2)), [(*rows[0], 4711)], names_left_out=False)
    assert capsys.readouterr().err == ""
    print_table(columns, [])
    assert capsys.readouterr().out == "none\n"
