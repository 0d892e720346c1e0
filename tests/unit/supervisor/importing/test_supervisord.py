"""supervisord.conf: what becomes of each key and section."""

import configparser
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.settings import Program, Settings
from orpheus.supervisor.importing.imported import Imported, Left, SourceFile
from orpheus.supervisor.importing.supervisord import SupervisordHost, convert, include_patterns
from orpheus.supervisor.importing.supervisord_keys import (
    DAEMON_KEYS,
    LONGEST_START_S,
    LONGEST_STOP_S,
    PROGRAM_KEYS,
    SECTIONS,
)

HOST = SupervisordHost("shop", "host-1")
PLAIN = {"name": "web", "argv": ["serve"], "restart": "on-failure"}


def imported(text: str) -> Imported:
    return convert([SourceFile("supervisord.conf", text, "/srv/conf")], HOST)


def programs(text: str) -> list[dict[str, Any]]:
    """The entries, each of which is a program that Orpheus takes."""
    found = [dict(entry.values) for entry in imported(text).entries()]
    for one in found:
        Program.model_validate(one)
    return found


def program(*lines: str) -> tuple[dict[str, Any], list[Left]]:
    """The one entry, and what was left of the lines in its section."""
    text = "\n".join(("[program:web]", "command=serve", *lines))
    (found,) = programs(text)
    return found, [one for one, _ in imported(text).left()]


def run(argv: list[str], **env: str) -> str:
    answer = subprocess.run(
        argv, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, check=False
    )
    return answer.stdout if answer.returncode == 0 else f"exit code {answer.returncode}"


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("directory=/srv/web", {"cwd": "/srv/web"}),
        ("directory=%(here)s/web", {"cwd": "/srv/conf/web"}),
        ("numprocs=4", {"instances": 4}),
        ('environment=A="1,2",B=two', {"env": {"A": "1,2", "B": "two"}}),
        ('environment=A="%(program_name)s%%"', {"env": {"A": "web%"}}),
        ("autorestart=unexpected", {}),
        ("autorestart=false", {"restart": "never"}),
        ("startsecs=5", {"ready": {"after": "5s"}}),
        ("startsecs=0", {"ready": {"after": "0s"}}),
        ("startsecs=1", {}),
        ("stopsignal=SIGINT", {"stop_signal": "INT"}),
        ("stopsignal=TERM", {}),
        ("stopwaitsecs=20", {"stop_timeout": "20s"}),
        ("stdout_logfile_maxbytes=50MB", {"log_size": "50MiB"}),
        ("stdout_logfile_maxbytes=100000", {"log_size": 100_000}),
        ("stdout_logfile_backups=3", {"log_files": 4}),
        ("exitcodes=0", {}),
        ("autostart=true", {}),
        ("redirect_stderr=true", {}),
        ("killasgroup=true", {}),
        ("stopasgroup=false", {}),
        ("user=shop", {}),
    ],
)
def test_a_key_is_carried_over_without_a_word(line: str, values: dict[str, Any]) -> None:
    assert program(line) == (PLAIN | values, [])


@pytest.mark.parametrize(
    ("line", "values", "why"),
    [
        ("autostart=false", {"instances": 0}, "a program that is in the file is started"),
        ("exitcodes=0,2", {}, "only exit code 0"),
        (f"startsecs={LONGEST_START_S + 1}", {"ready": {"after": "59s"}}, "start_timeout"),
        (f"stopwaitsecs={LONGEST_STOP_S + 1}", {"stop_timeout": "39s"}, "shutdown_deadline"),
        ("stdout_logfile_maxbytes=0", {}, "files are always rotated"),
        ("stdout_logfile_maxbytes=1KB", {"log_size": 65_536}, "log_size is"),
        ("stdout_logfile_maxbytes=9GB", {"log_size": 2**30}, "log_size is"),
        ("stdout_logfile_backups=5000", {"log_files": 1000}, "log_files is at most"),
        ("redirect_stderr=false", {}, "stdout and stderr"),
        ("stopasgroup=true", {}, "the program's own process"),
        ("killasgroup=false", {}, "whole process group"),
        ("user=root", {}, "as the user who starts it"),
        ("process_name=x", {}, "called after its entry"),
        ("environment=A={instance}", None, "environment: it is not KEY"),
        ('environment=A="{instance}"', {"env": {"A": "{instance}"}}, "number of the slot"),
    ],
)
def test_a_key_that_is_not_the_same_is_told(
    line: str, values: dict[str, Any] | None, why: str
) -> None:
    if values is None:
        (one,) = imported(f"[program:web]\ncommand=serve\n{line}").items
        assert isinstance(one, Left) and why in one.why
        return
    entry, (left,) = program(line)
    assert entry == PLAIN | values
    assert why in left.why
    assert (left.what, left.position.line) == (line, 3)


@pytest.mark.parametrize("key", [*PROGRAM_KEYS, "no_such_key"])
def test_every_other_key_is_left(key: str) -> None:
    if key:
        entry, left = program(f"{key}=true")
        assert entry == PLAIN
        assert [one.what for one in left] == [f"{key}=true"]


@pytest.mark.parametrize("key", [*DAEMON_KEYS, "no_such_key"])
def test_every_key_of_the_daemon_is_left(key: str) -> None:
    if key:
        (one,) = imported(f"[supervisord]\n{key}=1").items
        assert isinstance(one, Left)
        assert (one.what, one.position.line) == (f"{key}=1", 2)


@pytest.mark.parametrize("kind", [*SECTIONS, "no_such_section"])
def test_every_other_section_is_left(kind: str) -> None:
    if kind:
        (one,) = imported(f"[{kind}:x]\ncommand=serve").items
        assert isinstance(one, Left)
        assert (one.what, one.position.line) == (f"[{kind}:x]", 1)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("", "command: it is empty"),
        ("command=", "command: it is empty"),
        ("command=serve 'a", "command: its quotes do not match"),
        (f"command=serve {'a' * 1_000_000}", "command: it is longer than 128 KiB"),
        ("command=serve 50%", "command: a single % has no meaning"),
        ("command=serve %(other)s", "command: %(other)s is not known"),
        ("command=serve\nnumprocs=many", "numprocs=many is no number"),
        ("command=serve\nnumprocs=0", "numprocs=0 is not 1 to 1000"),
        ("command=serve\nautorestart=maybe", "autorestart=maybe is neither true nor false"),
        ("command=serve\nstopsignal=STOP", "stopsignal=STOP is no signal"),
        ("command=serve\nstartsecs=-1", "startsecs=-1 is no number"),
        ("command=serve\nstdout_logfile_maxbytes=big", "stdout_logfile_maxbytes=big is no size"),
        ('command=serve\nenvironment=A="x', "environment: its quotes do not match"),
        ("command=serve\ndirectory=%(other)s", "directory: %(other)s is not known"),
    ],
)
def test_a_program_that_supervisord_would_refuse_is_left_whole(lines: str, why: str) -> None:
    (one,) = imported(f"[program:web]\n{lines}").items
    assert isinstance(one, Left)
    assert (one.what, one.position.line) == ("[program:web]", 1)
    assert why in one.why


def test_the_variables_of_the_daemon_are_those_of_every_program() -> None:
    text = '[program:a]\ncommand=a\nenvironment=X="2"\n[program:b]\ncommand=b\n'
    found = programs(f'{text}[supervisord]\nenvironment=X="1",Y="3"')
    assert [one["env"] for one in found] == [{"X": "2", "Y": "3"}, {"X": "1", "Y": "3"}]


def test_memmon_becomes_the_limit_of_each_program() -> None:
    text = "[eventlistener:mm]\ncommand=memmon -p web=200MB\nevents=TICK_60\n"
    ((memmon, _),) = imported(text).left()
    assert memmon.instead == "set max_memory_mb of [[programs]]"


def test_a_variable_is_put_into_its_argument_by_a_shell(tmp_path: Path) -> None:
    text = "printf %%s, \"a %(ENV_A)s\" '$A' *.x %(ENV_B)s\\ c %(ENV_C)s"
    (found,) = programs(f"[program:web]\ncommand={text}")
    assert run(found["argv"], A="1  2", B="3 4", C="5 6") == "a 1  2,$A,*.x,3 4 c,5,6,"
    assert run(found["argv"], A="1", B="2") == "exit code 2", "as supervisord, which refuses"


def test_variables_in_the_environment_and_the_folder_are_set_by_a_shell(tmp_path: Path) -> None:
    (found,) = programs(
        "[program:web]\ncommand=sh -c 'echo $A $LANG; pwd'\ndirectory=%(ENV_WHERE)s\n"
        'environment=A="x y %(ENV_B)s",LANG="%(ENV_LANG)s",C="3"'
    )
    assert found["env"] == {"C": "3"}
    assert run(found["argv"], B="1", WHERE="/") == "exit code 2", "as supervisord, which refuses"
    answer = run(found["argv"], B="1  2", LANG="C", WHERE=str(tmp_path))
    assert answer.splitlines() == ["x y 1 2 C", str(tmp_path)]


def test_a_number_from_1_is_the_instance() -> None:
    (found,) = programs(
        "[program:web]\ncommand=serve 900%(process_num)d\nnumprocs=3\nnumprocs_start=1\n"
        'environment=N="%(process_num)s"'
    )
    assert found["argv"] == ["serve", "900{instance}"]
    assert (found["instances"], found["env"]) == (3, {"N": "{instance}"})


@pytest.mark.parametrize(
    ("form", "start", "arguments"),
    [("d", 0, ["0", "1"]), ("02d", 1, ["01", "02"]), ("02d", 9, ["09", "10"])],
)
def test_any_other_number_makes_an_entry_for_each_process(
    form: str, start: int, arguments: list[str]
) -> None:
    text = f"[program:web]\ncommand=serve %(process_num){form}\nnumprocs=2\nnumprocs_start={start}"
    found = programs(text)
    assert [one["argv"] for one in found] == [["serve", one] for one in arguments]
    assert [one["name"] for one in found] == [f"web-{start}", f"web-{start + 1}"]
    (left,) = [one for one, _ in imported(text).left()]
    assert left.what == "numprocs=2"


def test_a_folder_with_a_number_makes_an_entry_for_each_process() -> None:
    text = (
        "[program:web]\ncommand=serve 900%(process_num)d\ndirectory=/srv/%(process_num)d\n"
        "numprocs=2\nnumprocs_start=1"
    )
    found = programs(text)
    assert [(one["argv"], one["cwd"]) for one in found] == [
        (["serve", "9001"], "/srv/1"),
        (["serve", "9002"], "/srv/2"),
    ]
    assert [one.why for one, _ in imported(text).left()] == ["cwd has no {instance}"]


@pytest.mark.parametrize(("argument", "to_start"), [("", 4), (" %(process_num)02d", 1)])
def test_how_many_are_to_be_started_by_hand_is_told(argument: str, to_start: int) -> None:
    text = f"[program:web]\ncommand=serve{argument}\nnumprocs=4\nautostart=false"
    assert {one["instances"] for one in programs(text)} == {0}
    told = [one.instead for one, _ in imported(text).left()]
    assert told[-1] == f"start it with orpheus scale NAME {to_start}"


def test_names_are_valid_and_not_those_of_a_pool() -> None:
    text = "[program:default]\ncommand=a\n[program:x y]\ncommand=b"
    assert [one["name"] for one in programs(text)] == ["default-2", "x-y"]
    assert [one.what for one, _ in imported(text).left()] == ["default", "x y"]
    assert "default" in Settings().pools


def test_group_and_host_are_filled_in() -> None:
    text = "[program:web]\ncommand=serve %(group_name)s %(host_node_name)s\n"
    assert programs(text)[0]["argv"] == ["serve", "web", "host-1"]
    assert programs(f"{text}[group:shop]\nprograms=a, web")[0]["argv"][1] == "shop"


def test_included_files_are_named_and_their_programs_carried_over() -> None:
    main = SourceFile("main.conf", "[include]\nfiles = a/*.conf %(here)s/%(ENV_X)s.conf", "/srv")
    patterns = include_patterns(main, {"X": "b"})
    assert [(str(position), pattern) for position, pattern in patterns] == [
        ("main.conf:2", "a/*.conf"),
        ("main.conf:2", "/srv/b.conf"),
    ]
    other = SourceFile("a/web.conf", "\n[program:web]\ncommand=%(here)s/serve\numask=022", "/srv/a")
    made = convert([main, other], HOST, patterns[1:])
    (entry,) = made.entries()
    assert entry.values["argv"] == ["/srv/a/serve"]
    assert [str(one.position) for one, _ in made.left()] == ["a/web.conf:4", "main.conf:2"]


def test_comments_and_long_values_are_read_as_supervisord_does() -> None:
    text = "[program:web]\ncommand=serve ; not this\n  --more\n; umask=1\n#priority=1\n"
    assert programs(text) == [PLAIN | {"argv": ["serve", "--more"]}]
    assert list(imported(text).left()) == []


@pytest.mark.parametrize("text", ["command=serve", "[program:web]\nno value", "[program"])
def test_a_file_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(configparser.Error):
        imported(text)
