"""The rules that each `[[programs]]` entry, and all of them together, must keep."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.settings import Settings

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

PROGRAM = "[[programs]]\nname = {!r}\nargv = ['sleep', '600']\n"


def test_a_program_has_the_documented_defaults(load: Load, toml: Callable[[str], Path]) -> None:
    (program,) = load(toml(PROGRAM.format("web"))).programs
    assert (program.instances, program.restart, program.stop_signal) == (1, "always", "TERM")
    assert (program.ready.after, program.alive, program.after) == (1, None, ())
    assert (program.log_size, program.log_files, program.max_memory_mb) == (10_000_000, 5, 0)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("argv = []", "programs.web.argv: must not be empty"),
        (
            "restart = 'sometimes'",
            "programs.web.restart: must be 'always', 'on-failure' or 'never'",
        ),
        ("ready = {}", "programs.web.ready: needs one of http, line and after"),
        ("ready = { line = '(' }", "programs.web.ready.line: is not a regular expression"),
        (f"ready = {{ line = '{'(' * 500}{')' * 500}' }}", "is not a regular expression: it nests"),
        (
            "ready = { http = 'http://:secret@x/' }",
            'programs.web.ready.http: must be "http://HOST:PORT/PATH"',
        ),
        ("ready = { after = '2m' }", "programs.web.ready: must be less than supervisor.start"),
        ("stop_signal = 'STOP'", "programs.web.stop_signal: must be the name of a signal"),
        ("stop_timeout = '41s'", "programs.web.stop_timeout: must be less than supervisor.shut"),
        ("env_file = 'none'", "programs.web.env_file: 'none' cannot be read: No such file"),
        ("after = ['wib']", "programs.web.after: there is no program 'wib'; did you mean 'web'?"),
        ("after = ['web']", "programs.web.after: a circle: 'web' after 'web'"),
        (PROGRAM.format("web"), "programs.web.name: 'web' is the name of an earlier one"),
        (PROGRAM.format("default"), "programs.default.name: 'default' is the name of a pool"),
    ],
)
def test_a_program_that_cannot_run_so_is_refused(
    more: str, problem: str, problems: Problems, toml: Callable[[str], Path]
) -> None:
    text = PROGRAM.format("web")
    if more.startswith("argv"):
        text = text.replace("argv = ['sleep', '600']\n", "")
    [found] = problems(toml(text + more))
    assert problem in found


def test_a_circle_of_programs_is_refused_with_its_way(
    problems: Problems, toml: Callable[[str], Path]
) -> None:
    text = "".join(
        f"{PROGRAM.format(name)}after = [{after!r}]\n"
        for name, after in (("out", "a"), ("a", "b"), ("b", "c"), ("c", "a"))
    )
    [problem] = problems(toml(text))
    assert "programs.a.after: a circle: 'a' after 'b' after 'c' after 'a'" in problem


def test_an_env_file_is_never_quoted(
    problems: Problems, toml: Callable[[str], Path], own_directory: Path
) -> None:
    (own_directory / "env").write_text("A=1\nhush, no assignment\n")
    [problem] = problems(toml(PROGRAM.format("web") + "env_file = 'env'"))
    assert "does not hold variables: line 2 is not NAME=value" in problem
    assert "hush" not in problem
