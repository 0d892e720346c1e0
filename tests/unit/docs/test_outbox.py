"""docs/outbox.md: every block of it is run as it is printed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from orpheus.config.load import load_settings
from orpheus.config.settings import Outbox
from orpheus.shared.outbox.table import create_table
from orpheus.supervisor.__main__ import run

PAGE = (Path(__file__).parents[3] / "docs" / "outbox.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(TOML,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
(SH,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job types of the page are those of no other test."""
    monkeypatch.setattr("orpheus.shared.job_types.registry._registry", {})


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    """The folder with the application's database is the current one; returns rows of it."""
    monkeypatch.chdir(tmp_path)
    connection = apsw.Connection("shop.db")
    connection.execute("CREATE TABLE orders (path TEXT)")
    connection.execute(create_table("sqlite"))
    connection.close()

    def rows(sql: str) -> list[Any]:
        opened = apsw.Connection("shop.db")
        found = opened.execute(sql).fetchall()
        opened.close()
        return found

    return rows


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "orpheus.toml"
    file.write_text(TOML, encoding="utf-8")
    [outbox] = load_settings(file, (), {}).outboxes
    assert outbox == Outbox(name="shop", url="sqlite:///shop.db", table="orpheus_outbox", poll=1)


def test_the_commands_print_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    for line in SH.splitlines():
        words = line.split(" | ")[0].split()
        assert run(words[1:]) == 0
        assert capsys.readouterr().out == create_table(words[3])


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs sqlite3")
def test_sqlite3_makes_the_table(tmp_path: Path) -> None:
    sql = create_table("sqlite").encode()
    subprocess.run(["sqlite3", tmp_path / "new.db"], input=sql, check=True, timeout=60)


@pytest.mark.parametrize(
    ("number", "path", "column"),
    [(0, "a.jpg", "queue"), (1, "d.jpg", "tags"), (2, "b.jpg", "run_at")],
)
def test_the_examples_write_an_order_and_its_job(
    shop: Callable[[str], list[Any]], number: int, path: str, column: str
) -> None:
    names: dict[str, Any] = {}
    exec(PYTHON[number], names)
    for name, method in (("connection", "close"), ("engine", "dispose")):
        if name in names:
            getattr(names[name], method)()
    assert shop("SELECT path FROM orders") == [(path,)]
    query = f"SELECT type, payload ->> 'path', {column} IS NOT NULL FROM orpheus_outbox"
    assert shop(query) == [("resize", path, 1)]


def test_the_last_example_writes_an_order_and_its_signal(shop: Callable[[str], list[Any]]) -> None:
    names: dict[str, Any] = {}
    exec(PYTHON[-1], names)
    names["connection"].close()
    query = "SELECT type, unique_key, payload ->> 'by' FROM orpheus_outbox"
    assert shop(query) == [("signal:approval", "1", "ada")]
