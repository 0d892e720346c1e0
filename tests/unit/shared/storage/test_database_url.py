"""Where a database is, told without its password, and where this host has its files of it."""

import sys
from pathlib import Path

import pytest

from orpheus.shared import storage
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.storage import locked_file, open_store, shown_url, state_files

URL = "postgresql://ada:secret@db.example:5433/app"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"{URL}?sslmode=require&password=secret", "postgresql://ada@db.example:5433/app"),
        ("postgresql://:secret@h/app?user=ad%40a", "postgresql://ad%40a@h/app"),
        ("postgres://a.example:1,b.example:2/app", "postgresql://a.example:1,b.example:2/app"),
        ("postgresql:///app?host=%2Frun%2Fpg&port=5433", "postgresql:///run/pg:5433/app"),
        ("postgresql:///?service=bank", "postgresql://bank/"),
        ("sqlite:///data/orpheus.db", "sqlite:///data/orpheus.db"),
    ],
)
def test_a_url_is_shown_with_its_user_and_without_the_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_whoever_connects_finds_the_same_files(tmp_path: Path) -> None:
    files = state_files(URL, str(tmp_path))
    assert files == state_files(URL.replace("ada:secret", "grace"), str(tmp_path))
    assert files.bells.parent == files.cells.parent == files.lock.parent == tmp_path
    assert "secret" not in repr(files)
    assert files.bells != state_files(f"{URL}2", str(tmp_path)).bells


def test_supervisors_with_different_folders_have_different_processes(tmp_path: Path) -> None:
    """As on two hosts: neither kills what the other has started."""
    one, other = state_files(URL, f"{tmp_path}/1"), state_files(URL, f"{tmp_path}/2")
    assert one.digest() != other.digest()
    assert one.lock != other.lock


def test_only_a_file_has_a_write_lock_to_watch() -> None:
    assert locked_file(URL) is None
    assert locked_file("sqlite:////somewhere/orpheus.db") == Path("/somewhere/orpheus.db")


def test_a_url_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(
        ConfigurationError, match="'postgresqll' is not a supported database"
    ) as refused:
        open_store(URL.replace("postgresql", "postgresqll"))
    assert "secret" not in str(refused.value)


def test_without_its_driver_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "postgres" in vars(storage):  # to put it back: it is imported anew below
        monkeypatch.setattr(storage, "postgres", vars(storage)["postgres"])
    for name in [one for one in sys.modules if "storage.postgres" in one]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'psycopg\[binary\]>=3.2'"):
        open_store(URL, state_dir=str(tmp_path))
