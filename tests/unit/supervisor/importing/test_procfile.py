"""Procfiles."""

from typing import Any

import pytest

from orpheus.config.settings import Program
from orpheus.supervisor.importing.imported import Left, SourceFile
from orpheus.supervisor.importing.procfile import convert


def programs(
    text: str, folder: str = "", env_file: str | None = None
) -> tuple[list[dict[str, Any]], list[Left]]:
    env = None if env_file is None else SourceFile(".env", env_file)
    imported = convert(SourceFile("Procfile", text), folder, env)
    found = [dict(entry.values) for entry in imported.entries()]
    for one in found:
        Program.model_validate(one)
    return found, [left for left, _ in imported.left()]


def test_each_line_is_a_program() -> None:
    found, left = programs("# a comment\nweb: serve --all\n\nclock_1:\tpython clock.py\n")
    assert found == [
        {"name": "web", "argv": ["serve", "--all"], "env": {"PORT": "5000"}},
        {"name": "clock_1", "argv": ["python", "clock.py"], "env": {"PORT": "5100"}},
    ]
    assert left == []


def test_the_ports_are_those_of_foreman_which_sets_one_for_each_line() -> None:
    found, left = programs("web: serve $PORT\nclock: tick\nadmin: PORT=80 serve\nx: y ${PORT:-1}\n")
    assert [one["env"]["PORT"] for one in found] == ["5000", "5100", "80", "5300"]
    assert left == []


def test_a_port_of_the_env_file_is_kept_and_told_where_foreman_would_add_to_it() -> None:
    text = "web: serve $PORT\nadmin: serve\nclock: PORT=80 tick\n"
    found, left = programs(text, env_file="PORT=8000\n")
    assert [one.get("env") for one in found] == [None, None, {"PORT": "80"}]
    assert [one["env_file"] for one in found] == [".env"] * 3
    assert [(one.position.line, one.what) for one in left] == [(2, "PORT")]


def test_an_env_file_that_cannot_be_used_is_told() -> None:
    found, left = programs("web: serve\n", env_file="no variable\n")
    assert [one["argv"] for one in found] == [["serve"]]
    assert "env_file" not in found[0]
    assert (left[0].position.file, left[0].why) == (".env", "line 1 is not NAME=value")


@pytest.mark.parametrize(
    ("folder", "line", "cwd"),
    [("", "serve", None), ("shop", "serve", "shop"), ("shop", "cd web && serve", "shop/web")],
)
def test_programs_run_beside_the_procfile(folder: str, line: str, cwd: str | None) -> None:
    assert programs(f"web: {line}\n", folder)[0][0].get("cwd") == cwd


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("release: migrate", "it is run once for each release"),
        ("web", "it is not a name, a colon and a command"),
        ("web:", "it is not a name, a colon and a command"),
        ("my web: serve", "it is not a name, a colon and a command"),
        ("web: serve \0", "it is not a name, a colon and a command"),
    ],
)
def test_a_line_that_is_no_program_is_left_whole(line: str, why: str) -> None:
    found, (left,) = programs(f"\n{line}\n")
    assert found == []
    assert (left.position.line, left.what) == (2, line)
    assert why in left.why


@pytest.mark.parametrize(
    ("line", "what", "why"),
    [
        ("default: serve", "default", "the name 'default' is that of a pool"),
        ("_web: serve", "_web", "a name has"),
        ("web: serve | tee log", "serve | tee log", "a shell stays its parent"),
        ("web: serve '{instance}'", "{instance}", "number of the slot"),
    ],
)
def test_what_is_not_the_same_is_told(line: str, what: str, why: str) -> None:
    found, (left,) = programs(line)
    assert len(found) == 1
    assert left.what == what
    assert why in left.why
