"""Tables, fields and times, on a terminal and in a pipe."""

from collections.abc import Callable

import pytest

from orpheus.supervisor.cli.output import (
    Column,
    ago,
    line_time,
    local_time,
    print_fields,
    print_table,
    time_in,
    when,
)

Terminal = Callable[[int], None]
COLUMNS = (Column("NAME", least=8), Column("STATE"), Column("JOBS", 2), Column("WHY", 1, least=6))
ROWS = [("mail", "open", 12, "a long reason"), ("billing.invoices", "paused", None, "")]
WHOLE = """\
NAME              STATE   JOBS  WHY
mail              open    12    a long reason
billing.invoices  paused  -
"""


def test_a_pipe_gets_all_columns_with_long_text_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr() == (WHOLE, "")
    print_table(COLUMNS, [])
    assert capsys.readouterr() == ("NAME  STATE  JOBS  WHY\n", "")
    print_table(COLUMNS, [("mail", "open", 12, "why " * 99)])
    assert len(capsys.readouterr().out.splitlines()[1]) == 200


@pytest.mark.parametrize(
    ("width", "lines", "missing"),
    [
        (45, WHOLE.splitlines(), ""),
        (40, ["NAME          STATE   JOBS  WHY",
              "mail          open    12    a long reas…",
              "billing.inv…  paused  -"], ""),
        (27, ["NAME      STATE   WHY",
              "mail      open    a long r…", "billing…  paused"], "no room for JOBS\n"),
        (18, ["NAME        STATE", "mail        open", "billing.i…  paused"],
         "no room for JOBS, WHY\n"),
        (3, ["NAME      STATE", "mail      open", "billing…  paused"], "no room for JOBS, WHY\n"),
    ],
)  # fmt: skip
def test_on_a_terminal_columns_are_cut_or_left_out(
    capsys: pytest.CaptureFixture[str],
    terminal: Terminal,
    width: int,
    lines: list[str],
    missing: str,
) -> None:
    terminal(width)
    print_table(COLUMNS, ROWS)
    out, err = capsys.readouterr()
    assert out.splitlines() == lines
    assert err == missing


def test_text_of_jobs_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ERROR",), [["a\x1b[2J\nb"]])
    print_fields({"error": "a\x1b[2J\nb", "none": None})
    assert capsys.readouterr().out == "ERROR\na\\x1b[2J\\nb\nerror  a\\x1b[2J\\nb\n"


def test_times_are_for_people_on_a_terminal_and_for_programs_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    at, at_ms = "2026-01-31T12:00:07.250Z", 1_769_860_807_250
    monkeypatch.setattr("time.time", lambda: at_ms / 1000 + 125)
    in_pipe = local_time(at)
    assert in_pipe == local_time(at_ms) == ago(at) == when(at)
    assert time_in(at, "Asia/Tokyo") == "2026-01-31T21:00:07+09:00"
    assert line_time(at_ms).startswith(in_pipe[:19] + ".250")
    terminal(80)
    assert (ago(at_ms), ago(at_ms + 185_000), ago(None)) == ("2 min 5 s ago", "in 1 min", None)
    assert when(at) == f"{in_pipe[:10]} {in_pipe[11:19]} (2 min 5 s ago)"
    assert time_in(at, "Asia/Tokyo") == "2026-01-31 21:00:07 JST"
    assert line_time(at).endswith("00:07.250")
