"""Named queries are read as they stand."""

import pytest

from orpheus.shared.storage.queries import SqlFile
from orpheus.shared.storage.sqlite.sql import sql_file

SQL_FILES = (
    "counts.sql",
    "dependencies.sql",
    "events.sql",
    "job_types.sql",
    "jobs.sql",
    "leases.sql",
    "logs.sql",
    "processes.sql",
)


def test_a_query_is_the_text_under_its_name() -> None:
    queries = SqlFile("-- name: one\n-- Why.\nSELECT 1;\n\n-- name: two-b\nSELECT 2;\n", "x.sql")
    assert queries["one"] == "-- Why.\nSELECT 1;"
    assert queries["two-b"] == "SELECT 2;"


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        SqlFile("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;", "x.sql")


def test_a_query_gets_the_parts_that_it_names_without_their_comments() -> None:
    part = "-- part: its-columns\n-- Why.\na, b\n\n"
    query = "-- name: one\n-- Why.\nSELECT {its-columns} FROM {table};"
    assert SqlFile(part + query, "x.sql")["one"] == "-- Why.\nSELECT a, b FROM {table};"


def test_a_file_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(FileNotFoundError, match=r"has jobz\.sql"):
        sql_file("jobz.sql")


@pytest.mark.parametrize("file", SQL_FILES)
def test_every_query_states_its_purpose(file: str) -> None:
    for name in sql_file(file):
        assert sql_file(file)[name].startswith("-- "), name


@pytest.mark.parametrize("file", SQL_FILES)
def test_every_query_is_used(file: str) -> None:
    from importlib import resources

    code = "".join(
        entry.read_text(encoding="utf-8")
        for room in ("storage", "storage.sqlite", "storage.verbs")
        for entry in resources.files(f"orpheus.shared.{room}").iterdir()
        if entry.name.endswith(".py")
    )
    for name in sql_file(file):
        assert f'"{name}"' in code or f"'{name}'" in code, name
