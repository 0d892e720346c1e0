"""A line that becomes arguments does what the shell did with it."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.shared.domain.commands import arguments, fields_of
from orpheus.supervisor.importing.shell import (
    Run,
    escaped_fields,
    keep_running,
    run_of,
    with_input,
)

TEXTS = st.lists(
    st.text(st.sampled_from("{}ab_ 1$")) | st.sampled_from(["{a}", "{{a}}", "${HOME}"]), max_size=4
)


def output_of(run: Run, folder: Path) -> bytes:
    environment = {**os.environ, "HOME": "/home/somebody", **run.env}
    return subprocess.run(
        run.argv, cwd=run.cwd or folder, env=environment, capture_output=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("line", "needs_shell"),
    [
        ("printf '%s|' a 'b  c' \"d e\" f=g ''", False),
        ("printf '%s|' a\\ b", True),
        ("A=1 B='2 3' printenv A B", False),
        ("cd / && pwd", False),
        ("cd / && printenv HOME", False),
        ("cd /nowhere/at/all || printf x", True),
        ("printf '%s|' $HOME \"$HOME\" '$HOME'", True),
        ("printf '%s|' '$HOME' '*'", False),
        ("printf '%s|' /et[c] ~", True),
        ("printf x | tr x y && printf z", True),
        ("printf x; printf y", True),
        ("printf x # y", True),
        ("exec printf x", True),
        ("printf %s `printf x`", True),
    ],
)
def test_it_prints_the_same_with_and_without_a_shell(
    line: str, needs_shell: bool, tmp_path: Path
) -> None:
    run = run_of(line)
    assert (run.argv[:2] == ["/bin/sh", "-c"]) is needs_shell
    assert output_of(run, tmp_path) == output_of(Run(["/bin/sh", "-c", line]), tmp_path)


@pytest.mark.parametrize(
    ("line", "folder", "cwd", "argv"),
    [
        ("cd /srv/shop && ./run -a", None, "/srv/shop", ["./run", "-a"]),
        ("cd '/srv/my shop' && ./run", None, "/srv/my shop", ["./run"]),
        ("cd shop && ./run", "/home/a", "/home/a/shop", ["./run"]),
        ("cd shop && ./run", "", "shop", ["./run"]),
        ("cd /srv && ./run >> log 2>&1", None, "/srv", ["/bin/sh", "-c", "./run >> log 2>&1"]),
        ("cd shop && ./run", None, "", None),
        ("cd /srv && ./run; ./other", None, "", None),
        ("cd /srv && ./run || ./other", None, "", None),
        ("cd /srv && ./run & ./other", None, "", None),
        ("cd ~/srv && ./run", None, "", None),
        ("cd - && ./run", None, "", None),
        ("cd $HOME && ./run", None, "", None),
    ],
)
def test_a_folder_is_taken_from_the_line_only_if_all_of_it_depends_on_that(
    line: str, folder: str | None, cwd: str, argv: list[str] | None
) -> None:
    run = run_of(line, folder=folder)
    assert (run.cwd, run.argv) == (cwd, ["/bin/sh", "-c", line] if argv is None else argv)


def test_another_kind_of_shell_is_kept_for_every_line() -> None:
    assert run_of("ls -l", "/usr/bin/fish").argv == ["/usr/bin/fish", "-c", "ls -l"]


def test_a_line_with_input_gets_it(tmp_path: Path) -> None:
    run = run_of(with_input("cat; cat # a comment", "it's\n\n$HOME"))
    assert output_of(run, tmp_path) == b"it's\n\n$HOME\n"


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("serve -p $PORT", "exec serve -p $PORT"),
        ("serve -p ${PORT:-80}", "exec serve -p ${PORT:-80}"),
        ("exec serve -p $PORT", "exec serve -p $PORT"),
        ("migrate && serve -a", "migrate && exec serve -a"),
        ("A='b c' D=e serve $PORT", "A='b c' D=e exec serve $PORT"),
        ("serve serve $PORT serve", "exec serve serve $PORT serve"),
    ],
)
def test_a_program_takes_the_place_of_its_shell(line: str, script: str) -> None:
    run = keep_running(line, "")
    assert (run.argv, run.is_behind_shell) == (["sh", "-c", script], False)


@pytest.mark.parametrize("line", ["serve | tee log", "while true; do serve; done", "a; b", "a &"])
def test_a_program_that_cannot_take_it_stays_behind_its_shell(line: str) -> None:
    run = keep_running(line, "")
    assert (run.argv, run.is_behind_shell) == (["sh", "-c", line], True)


def test_a_program_has_the_pid_and_the_variables_that_its_shell_had(tmp_path: Path) -> None:
    run = keep_running("A='b c' sh -c 'echo $$ $A' $B", "")
    assert run.is_behind_shell is False
    process = subprocess.Popen(run.argv, stdout=subprocess.PIPE, cwd=tmp_path)
    out, _ = process.communicate(timeout=60)
    assert out.decode() == f"{process.pid} b c\n"


@given(TEXTS)
def test_escaped_arguments_are_those_that_were_meant(argv: list[str]) -> None:
    escaped = escaped_fields(argv)
    assert fields_of(escaped) == ()
    assert arguments(escaped, {}) == argv


def test_a_line_that_is_longer_than_an_argument_may_be_is_not_split() -> None:
    line = f"/bin/serve {'a' * 1_000_000}"
    began_s = time.thread_time()
    assert run_of(line).argv == ["/bin/sh", "-c", line]
    assert time.thread_time() - began_s < 2
