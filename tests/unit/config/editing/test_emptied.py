"""An edit that empties the file is refused: a supervisor would not take it."""

from collections.abc import Callable
from pathlib import Path

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.operations.configuration import Edit, SettingProblem


def problems(path: Path, text: str) -> tuple[SettingProblem, ...]:
    return ConfigurationFile(path, (), {}).plan(Edit(text), None, lambda _: {}).outcome.problems


def test_only_a_file_that_was_empty_may_stay_so(toml: Callable[[str], Path]) -> None:
    path = toml("[api]\nport = 1\n")
    (problem,) = problems(path, " \n")
    assert (problem.key, problem.place, problem.line) == ("", str(path), None)
    assert problem.detail.startswith("is empty: what it set stays; ")
    assert problems(path, "# the defaults\n") == ()
    assert problems(toml(""), "") == ()
