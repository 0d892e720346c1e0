"""docs/architecture.md names files and functions that exist, and its lists are short."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:[\w-]+/)+[\w.-]+\.\w+)::([\w.]+)`", TEXT)))
PATHS = sorted(set(re.findall(r"`((?:[\w-]+/)+(?:[\w-]+\.\w+)?)[`:]", TEXT)))
WAYS = TEXT.split("\n## The way of ")[1:]
FOLDERS = ("supervisor", "worker", "api", "shared", "config", "orpheus")


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / "docs" / path).exists()


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_function_that_is_named_exists(path: str, name: str) -> None:
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        found = [node for node in body if isinstance(node, kinds) and node.name == part]
        assert found, f"{path} has no {name}"
        body = found[0].body


def test_the_ways_of_a_job_and_a_death_have_at_most_ten_stops() -> None:
    assert [way.split("\n")[0] for way in WAYS] == ["a job", "a death"]
    for way in WAYS:
        stops = re.findall(r"^(\d+)\. ", way, re.MULTILINE)
        assert 5 <= len(stops) <= 10
        assert stops == [str(number + 1) for number in range(len(stops))]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_room_is_in_the_table(folder: str) -> None:
    rooms = {
        f"{init.parent.name}/"
        for init in (ROOT / folder).glob("*/__init__.py")
        if not init.parent.is_symlink()
    }
    assert {room for room in rooms if f"| `{folder}/{room}` |" not in TEXT} == set()


def test_every_kind_of_import_contract_is_described() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    section = TEXT.split("## Who may import whom")[1].split("\n## ")[0]
    assert section.count("\n- ") >= len({contract["type"] for contract in contracts})
