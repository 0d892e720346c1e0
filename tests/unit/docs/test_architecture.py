"""docs/architecture.md names files and functions that exist, and its lists are short."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:[\w-]+/)+[\w.-]+\.\w+)::([\w.]+)`", TEXT)))
PATHS = sorted(set(re.findall(r"`((?:[\w-]+/)+(?:[\w-]+\.\w+)?)[`:]", TEXT)))
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


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_room_is_in_the_table(folder: str) -> None:
    rooms = {
        f"{init.parent.name}/"
        for init in (ROOT / folder).glob("*/__init__.py")
        if not init.parent.is_symlink()
    }
    assert {room for room in rooms if f"| `{folder}/{room}` |" not in TEXT} == set()
