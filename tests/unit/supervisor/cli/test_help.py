"""The help of every command in a narrow terminal."""

from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from orpheus.supervisor.cli.app import orpheus as everything

Orpheus = Callable[..., Any]


def commands(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    """Return the names of a command and of all below it."""
    yield names
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, *names, name)


def test_help_says_that_the_json_of_logs_is_an_object_a_line(orpheus: Orpheus) -> None:
    assert "Print JSON: one object a line" in " ".join(orpheus("logs", "--help").out.split())
    assert "Print JSON instead of a table." in " ".join(orpheus("jobs", "--help").out.split())


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_help_is_as_wide_as_the_terminal_and_breaks_no_word(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    for command in commands(everything):
        monkeypatch.setenv("COLUMNS", "1000")
        words = orpheus(*command, "--help").out.split()
        monkeypatch.setenv("COLUMNS", str(columns))
        out = orpheus(*command, "--help").out
        assert max(map(len, out.splitlines())) <= columns, command
        assert out.split() == words, command
