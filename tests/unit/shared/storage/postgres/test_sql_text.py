import pytest

from orpheus.shared.storage.postgres.sql_text import in_order, statement_of


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT ?2, ?1, ?1", "SELECT $2, $1, $1"),
        ("SELECT ?3, ?", "SELECT $3, $4"),
        ("SELECT :b, :a, :b", "SELECT $1, $2, $1"),
        ("SELECT ?::bigint, ?::text", "SELECT $1::bigint, $2::text"),
        ("SELECT 'it''s ? :a', ?", "SELECT 'it''s ? :a', $1"),
        ('SELECT "a""?:b", ?', 'SELECT "a""?:b", $1'),
        ("-- is it ? :a\nSELECT ? /* ? :b */ + ?", "-- is it ? :a\nSELECT $1 /* ? :b */ + $2"),
        ("SELECT $$ ? :a $$, $x$ ? $$ $x$, ?", "SELECT $$ ? :a $$, $x$ ? $$ $x$, $1"),
        ("SELECT '", "SELECT '"),
    ],
)
def test_parameters_become_numbers_outside_of_quotes_and_comments(sql: str, text: str) -> None:
    assert statement_of(sql).text == text.encode()


def test_names_are_told_in_the_order_of_their_numbers() -> None:
    sql = "INSERT INTO t VALUES (:b, :a) ON CONFLICT DO UPDATE SET b = :b"
    assert statement_of(sql).names == ("b", "a")
    assert statement_of("SELECT ?").names == ()


def test_names_and_numbers_do_not_mix() -> None:
    with pytest.raises(ValueError, match="names and with numbers"):
        statement_of("SELECT :a, ?")


def test_values_given_by_name_are_put_into_the_order_of_their_numbers() -> None:
    statement = statement_of("SELECT :b + :a + :b")
    assert in_order(statement, {"a": 1, "b": 2}) == [2, 1]
    assert in_order(statement_of("SELECT ? + ?"), (2, 1)) == (2, 1)
