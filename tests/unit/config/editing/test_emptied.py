"""An edit that empties the file is refused: a supervisor would not take it."""

from collections.abc import Callable
from pathlib import Path

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.operations.configuration import Edit, SettingProblem
from orpheus.shared.storage import state_files


def problems(path: Path, text: str) -> tuple[SettingProblem, ...]:
    return (
        ConfigurationFile(path, (), {}, state_files("sqlite:///o.db"))
        .plan(Edit(text), None, lambda _: {})
        .outcome.problems
    )


def test_only_a_file_that_was_empty_may_stay_so(toml: Callable[[str], Path]) -> None:
    path = toml("[api]\nport = 1\n")
    (problem,) = problems(path, " \n")
    assert (problem.key, problem.place, problem.line) == ("", str(path), None)
    assert problem.detail.startswith("would be empty; ")
    assert problems(path, "# the defaults\n") == ()
    assert problems(toml(""), "") == ()


def test_a_version_that_was_empty_comes_back_as_a_comment_that_a_supervisor_takes(
    toml: Callable[[str], Path],
) -> None:
    path = toml("")
    file = ConfigurationFile(path, (), {}, state_files(f"sqlite:///{path.parent}/o.db", ""))
    for text in ("[api]\nport = 1\n", "# nothing\n"):
        with file.prepared(file.plan(Edit(text), None, lambda _: {}), "x", None) as replace:
            replace()
    put_back = file.plan(Edit(version=1), None, lambda _: {})
    assert put_back.outcome.problems == ()
    assert put_back.content == b"# Every setting has its default.\n"
    path.write_text("")
    assert file.plan(Edit(version=1), None, lambda _: {}).content == b"", "it is there already"
