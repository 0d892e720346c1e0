"""What becomes of each kind of line, key and word."""

import os
import subprocess
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.config.settings import Program
from orpheus.shared.domain.commands import arguments, fields_of
from orpheus.supervisor.importing import crontab, procfile, supervisord
from orpheus.supervisor.importing.command import (
    argv_of,
    escaped_fields,
)
from orpheus.supervisor.importing.imported import Entry, Imported, Left, SourceFile

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("line", "needs_shell"),
    [
        ("printf '%s|' a 'b  c' \"d e\" f=g ''", False),
        ("printf '%s|' '$HOME' '*'", False),
        ("A=1 printenv A", True),
        ("printf '%s|' $HOME \"$HOME\" '$HOME'", True),
        ("printf x | tr x y && printf z", True),
        ("exec printf x", True),
    ],
)
def test_words_without_a_shell_print_what_the_shell_prints(line: str, needs_shell: bool) -> None:
    argv = argv_of(line)
    assert (argv[:2] == ["/bin/sh", "-c"]) is needs_shell
    env = {**os.environ, "HOME": "/home/somebody"}
    outputs = [
        subprocess.run(one, env=env, capture_output=True, check=True).stdout
        for one in (argv, ["/bin/sh", "-c", line])
    ]
    assert outputs[0] == outputs[1]


@given(st.lists(st.text(st.sampled_from("{}ab_ 1$")), max_size=4))
def test_escaped_arguments_are_those_that_were_meant(argv: list[str]) -> None:
    assert fields_of(escaped_fields(argv)) == ()
    assert arguments(escaped_fields(argv), {}) == argv


@given(st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT, max_size=2), TEXT)
def test_any_text_comes_back_from_the_toml(argv: list[str], env: dict[str, str], text: str) -> None:
    values = {"name": "a", "argv": argv, "env": env, "ready": {"after": "1s"}, "log_size": 5}
    entry, left = Entry("programs", values, text), Left(text, text, text)
    made = Imported([left, entry, left, entry], (text,)).to_toml(text)
    assert tomllib.loads(made) == {"programs": [values, values]}


def of_crontab(text: str, *, has_users: bool = False) -> Imported:
    return crontab.convert(SourceFile("crontab", text), "UTC", "shop", has_users=has_users)


def test_variables_hold_for_the_jobs_below_them() -> None:
    text = "A=1\n0 1 * * * /opt/a\nB = 'x y'\nSHELL=/bin/bash\nHOME=/srv\nCRON_TZ=Asia/Tokyo\n"
    tables = of_crontab(f"{text}@daily cd shop && ls *.log\n").tables()
    first, second = tables["commands"]
    assert (first["argv"], first["env"]) == (["/opt/a"], {"A": "1"})
    assert second["argv"] == ["/bin/bash", "-c", "ls *.log"]
    assert second["env"] == {"A": "1", "B": "x y", "HOME": "/srv"}
    assert second["cwd"] == "/srv/shop"
    zones = [(one["cron"], one["timezone"]) for one in tables["schedules"]]
    assert zones == [("0 1 * * *", "UTC"), ("0 0 * * *", "Asia/Tokyo")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("@reboot /opt/job", 'restart = "never"'),
        ("* * * * *", "is not a time and a command"),
        ("0 1 * * * mail x%hello", "% begins its standard input"),
        ("MAILTO=x", ""),
    ],
)
def test_a_line_of_a_crontab_that_is_not_carried_over(line: str, why: str) -> None:
    (left,) = of_crontab(f"# a comment\n\n{line}\n").items
    assert isinstance(left, Left)
    assert (left.where, left.line) == ("crontab:3", line)
    assert why in left.why


def test_the_user_of_a_line_is_no_part_of_its_command() -> None:
    imported = of_crontab("0 1 * * * root /opt/a\n0 2 * * * shop /opt/b\\%", has_users=True)
    assert [one["argv"] for one in imported.tables()["commands"]] == [["/opt/a"], ["/opt/b%"]]
    assert [left.line for left in imported.left()] == ["user root"]


def of_procfile(text: str, folder: str = "") -> Imported:
    return procfile.convert(SourceFile("Procfile", text), folder)


def test_each_line_of_a_procfile_is_a_program_with_a_port() -> None:
    made = of_procfile("# x\nweb: serve --all\nclock_1:\tcd in && tick\nrelease: a\nweb\n", "shop")
    assert made.tables()["programs"] == [
        {"name": "web", "argv": ["serve", "--all"], "cwd": "shop", "env": {"PORT": "5000"}},
        {"name": "clock_1", "argv": ["tick"], "cwd": "shop/in", "env": {"PORT": "5100"}},
    ]
    assert [left.where for left in made.left()] == ["Procfile:4", "Procfile:5"]


def of_supervisord(text: str) -> Imported:
    return supervisord.convert(SourceFile("main.conf", text, "/srv/conf"), "shop")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("directory=%(here)s/web", {"cwd": "/srv/conf/web"}),
        ('environment=A="1,2",B=two', {"env": {"A": "1,2", "B": "two"}}),
        ('environment=A="%(program_name)s%%"', {"env": {"A": "web%"}}),
        ("autorestart=false", {"restart": "never"}),
        ("stopsignal=SIGINT", {"stop_signal": "SIGINT"}),
        ("stdout_logfile_maxbytes=50mb", {"log_size": "50MiB"}),
        ("user=shop", {}),
        *((line, None) for line in ("user=root", "priority=1", "stopasgroup=true", "exitcodes=2")),
        ("stdout_logfile_maxbytes=0", None),
    ],
)
def test_a_key_of_supervisord_is_carried_over_or_left(
    line: str, values: dict[str, Any] | None
) -> None:
    made = of_supervisord(f"[program:web]\ncommand=serve\n{line}")
    (program,) = made.tables()["programs"]
    assert program == {"name": "web", "argv": ["serve"], "restart": "on-failure", **(values or {})}
    Program.model_validate(program)
    assert [left.line for left in made.left()] == ([line] if values is None else [])


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("command=", "command is empty"),
        ("command=serve 'a", "No closing quotation"),
        ("command=serve %(ENV_A)s", "%(ENV_A)s is not known"),
        ("command=serve --port 80%(process_num)d", "%(process_num)d is not known"),
        ("command=serve\nnumprocs=0", "numprocs=0 is not 1 to 1000"),
        ("command=serve\nenvironment=A", "environment is not KEY=value"),
    ],
)
def test_a_program_that_cannot_be_read_is_left_whole(lines: str, why: str) -> None:
    made = of_supervisord(f"[program:web]\n{lines}")
    assert [left.line for left in made.left()][-1] == "[program:web]"
    assert why in made.left()[-1].why
    assert made.tables() == {}
