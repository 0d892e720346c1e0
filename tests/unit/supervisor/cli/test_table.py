"""supervisor/cli/table.py: no line is wider than the terminal, and what matters most stays."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.supervisor.cli.table import Column, cells_wide, fitted, left_out, shortened

COLUMNS = (
    "ID",
    Column("TYPE", least=8),
    Column("QUEUE", 2),
    Column("WORKER", 3),
    Column("RATE", 1),
    Column("NOTE", least=10),
)
ROWS = [
    ("1", "wordcount", "default", "default-1", "-", "x" * 40),
    ("23", "sum", "mail", "default-2", "-", ""),
]


def lines(width: int | None, rows: Sequence[tuple[str, ...]] = ROWS) -> list[str]:
    return ["  ".join(row) for row in fitted(COLUMNS, rows, width)]


def names(width: int | None) -> list[str]:
    return lines(width)[0].split()


def test_without_a_width_everything_is_there() -> None:
    assert names(None) == ["ID", "TYPE", "QUEUE", "WORKER", "RATE", "NOTE"]
    assert lines(None)[1].split() == list(ROWS[0])


def test_a_column_that_says_nothing_goes_first_then_those_of_the_highest_rank() -> None:
    assert names(200) == names(None)
    assert names(48) == ["ID", "TYPE", "QUEUE", "WORKER", "NOTE"]
    assert names(40) == ["ID", "TYPE", "QUEUE", "NOTE"]
    assert names(30) == ["ID", "TYPE", "NOTE"]


def test_where_nothing_else_helps_the_widest_goes_and_no_cell_is_only_a_mark() -> None:
    assert names(21) == ["ID", "TYPE"]
    assert names(5) == ["ID"]
    columns = ("ALERT", Column("ON", least=12), "FAILED", "LAST")
    rows = [("a", "failed, timed_out", "150", "2026-11-28 12:00:00")]
    shown = {width: fitted(columns, rows, width)[1] for width in (48, 47, 20)}
    assert shown[48] == ("a    ", "failed, tim…", "150   ", "2026-11-28 12:00:00")
    assert shown[47] == ("a    ", "failed, timed_out", "150   ")
    assert shown[20] == ("a    ", "150   ")


def test_a_column_is_shortened_before_it_goes_for_one_that_matters_more() -> None:
    columns = ("ID", Column("CHANGE", 2, least=8, enough=20), Column("WHY", 1, least=8, enough=16))
    rows = [("1", "c" * 20, "w" * 30)]
    assert fitted(columns, rows, 30)[1] == ("1 ", "c" * 7 + "…", "w" * 15 + "…")
    assert fitted(columns, rows, 29)[1] == ("1 ", "w" * 24 + "…")


def test_a_column_comes_back_if_there_is_room_once_a_wider_one_has_gone() -> None:
    columns = ("ID", Column("EVERY", 3), Column("TYPE", 2), Column("LAST", 1), Column("N", least=4))
    rows = [("1", "5 min", "notify", "pending after 5 attempts", "n" * 8)]
    shown = {width: fitted(columns, rows, width)[1] for width in (28, 26, 19)}
    assert shown[28] == ("1 ", "5 min", "notify", "n" * 8)
    assert shown[26] == ("1 ", "notify", "n" * 8), "none is cut for one that matters less"
    assert shown[19] == ("1 ", "5 min", "n" * 8)


def test_what_is_left_out_is_named_if_it_said_something() -> None:
    shown = [name.strip() for name in fitted(COLUMNS, ROWS, 30)[0]]
    assert left_out(COLUMNS, ROWS, shown) == ("QUEUE", "WORKER")
    assert left_out((Column("COUNT", 1, usual="1"),), [("1",), ("-",)], ()) == ()


def test_a_name_of_parts_keeps_its_end_which_tells_it_from_others() -> None:
    columns = (Column("TYPE", least=12),)

    def cut(name: str, width: int) -> str:
        ((shown,),) = fitted(columns, [(name,)], width)[1:]
        assert cells_wide(shown) <= width
        return shown.rstrip()

    assert cut("billing.invoices.generate_monthly_pdf_statement", 18) == "billi…df_statement"
    assert cut("17 billing.invoices.generate_pdf", 16) == "17 bi…nerate_pdf"
    assert cut("invoice-rendering-heavy-eu-central-12", 12) == "inv…ntral-12"
    assert cut("shard-2026-1128", 12) == "sha…-1128", "a part of a number is another number"
    assert cut("card declined, see 4.5", 12) == "card declin…"
    assert cut("12345678901234 a.b", 12) == "…"


def test_what_is_left_of_the_width_goes_to_the_columns_that_were_shortened() -> None:
    assert lines(30)[1] == "1   wordcount  " + "x" * 14 + "…"
    assert lines(40)[1] == "1   wordcount  default  " + "x" * 15 + "…"


def test_columns_with_a_rank_go_before_one_that_would_not_have_enough() -> None:
    columns = ("ID", Column("TYPE", least=8), Column("AGE", 1), Column("NOTE", least=8, enough=12))
    rows = [("1", "a-long-type", "3 s ago", "n" * 30)]
    shown = {width: fitted(columns, rows, width)[1] for width in (35, 34, 25)}
    assert shown[35] == ("1 ", "a-…-type", "3 s ago", "n" * 11 + "…")
    assert shown[34] == ("1 ", "a-long-type", "n" * 16 + "…")
    assert shown[25] == ("1 ", "a-…-type", "n" * 10 + "…")


def test_the_longest_column_is_shortened_whatever_its_place_or_rank() -> None:
    columns = (Column("ON", least=8), Column("CHANGE", 3, least=8), Column("WHY", 1, least=4))
    rows = [("o" * 40, "paused → running", "spam run")]
    assert fitted(columns, rows, 60)[1] == ("o" * 31 + "…", "paused → running", "spam run")
    assert fitted(columns, rows, 40)[1] == ("o" * 13 + "…", "paused → runn…", "spam run")


def test_a_column_in_which_each_row_is_0_says_nothing() -> None:
    columns = ("ID", Column("BLOCKED", 1), Column("RAN", 2))
    assert fitted(columns, [("1", "0", "3 s")], 10)[0] == ("ID", "RAN")


def test_a_wide_character_fills_two_cells() -> None:
    assert [cells_wide(text) for text in ("abc", "日本", "e\u0301")] == [3, 4, 1]
    assert shortened("日本語", 5) == "日本…"
    assert shortened("日本語", 4) == "日…"
    (_, row) = fitted(("A", "B"), [("日本", "x")], 20)
    assert row == ("日本", "x")


def test_a_number_is_told_whole_or_not_at_all() -> None:
    assert shortened("version 1023 of it", 13) == "version…"
    assert shortened("version 1023 of it", 14) == "version 1023 …"
    assert shortened("12345", 4) == "…"


def test_how_much_of_a_column_is_enough_may_depend_on_its_cells() -> None:
    columns = (Column("ON", least=4, enough=lambda cell: len(cell.split(":")[0])), Column("AGE", 1))
    rows = [("queue mail: paused by ada", "3 s ago"), ("job 7: " + "x" * 40, "1 s ago")]
    assert fitted(columns, rows, 21)[1] == ("queue mail:…", "3 s ago")
    assert fitted(columns, rows, 20)[1] == ("queue mail: paused… ",)


@given(
    st.lists(st.tuples(*[st.text("ab日 ", max_size=30)] * len(COLUMNS)), max_size=4),
    st.integers(24, 200),
)
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, ...]], width: int) -> None:
    assert max(map(cells_wide, lines(width, rows))) <= width


@pytest.mark.parametrize("width", [24, 80, 200])
def test_a_table_without_rows_has_names(width: int) -> None:
    assert fitted(COLUMNS, [], width)[0][0].strip() == "ID"
