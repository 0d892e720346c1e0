"""Completion in a shell: names of commands and what is in the database, at once and in silence."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.shell_completion import BashComplete, get_completion_class

from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.processes import Role, SlotRecord, SlotState
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.storage import Store, TypeRow
from orpheus.supervisor.cli.app import orpheus as group
from tests.machine import PATIENCE_S

Orpheus = Callable[..., Any]
Finish = Callable[..., None]
ROOT = Path(__file__).parents[4]


def completed(*words: str) -> list[str]:
    """What a shell would offer for the last of the words."""
    shell = BashComplete(group, {}, "orpheus", "_ORPHEUS_COMPLETE")
    return [one.value for one in shell.get_completions(list(words[:-1]), words[-1])]


def slot(name: str, pool: str, role: Role) -> SlotRecord:
    return SlotRecord(
        "host-1", name, pool, role, SlotState.READY, False, "", 1, name, None, None, 0, 0, ()
    )


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time: a prompt is given up after a quarter of a second."""
    monkeypatch.setattr("orpheus.supervisor.cli.completing._LONGEST_S", PATIENCE_S)


@pytest.fixture
def filled(store: Store, finish: Finish, patient: None) -> Store:
    """Jobs 1 (failed), 2 (done), 3 (waits), and one of each other kind."""
    store.jobs.submit(NewJob("count"))
    finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "no\nsecond line", None))
    store.jobs.submit(NewJob("words"))
    finish(store)
    store.jobs.submit(NewJob("words", queue="mail"))
    store.queues.pause("archive")
    store.schedules.configure([ScheduleDefinition("nightly", "count", every_s=60)])
    store.processes.put_slots(
        [slot("default-1", "default", Role.WORKER), slot("web-1", "web", Role.PROGRAM)]
    )
    return store


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["show", ""], ["3", "2", "1"]),
        (["retry", ""], ["1"]),
        (["cancel", ""], ["3"]),
        (["delete", ""], ["2", "1"]),
        (["run", ""], ["3"]),
        (["why", ""], ["3"]),
        (["logs", ""], ["web-1", "3", "2", "1"]),
        (["restart", "d"], ["default-1"]),
        (["drain", ""], ["default-1", "web-1"]),
        (["scale", ""], ["default", "web"]),
        (["restart", "x", "--host", ""], ["host-1"]),
        (["pause", "m"], ["mail"]),
        (["jobs", "--queue", ""], ["archive", "default", "mail"]),
        (["jobs", "--type", ""], ["count", "words"]),
        (["jobs", "--status", "f"], ["failed"]),
        (["submit", "c"], ["count"]),
        (["run-schedule", ""], ["nightly"]),
        (["pause-schedule", "n"], ["nightly"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["resume-"], ["resume-schedule"]),
        (["db", "b"], ["backup"]),
        (["audit", "--b"], ["--by", "--before"]),
    ],
)
def test_what_is_there_is_offered(words: list[str], offered: list[str]) -> None:
    assert completed(*words) == offered


@pytest.mark.usefixtures("filled")
def test_a_pool_and_a_program_without_slots_can_be_scaled_up(tmp_path: Path) -> None:
    text = '[pools.default]\n[pools.empty]\nworkers = 0\n[[programs]]\nname = "off"\nargv = ["a"]\n'
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    given = ("scale", "--config", str(file))
    assert completed(*given, "") == ["default", "web", "empty", "off"]
    assert completed(*given, "--set", "pools.night.workers=0", "n") == ["night"]


@pytest.mark.usefixtures("filled")
def test_an_id_is_offered_with_what_the_job_is() -> None:
    shell = BashComplete(group, {}, "orpheus", "_ORPHEUS_COMPLETE")
    (one,) = shell.get_completions(["retry"], "")
    assert one.help == "failed count: no …"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_nothing_that_moves_a_cursor_gets_out(
    store: Store, finish: Finish, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    store.types.replace([TypeRow("count", "{}", None, None, None, "Counts\x1b[2J\rwell\n")])
    store.jobs.submit(NewJob("count"))
    finish(store, Ending.FAILED_PERMANENTLY, JobError("E", "\x1b]0;owned\x07\rno", None))
    for words, told in (
        ("retry", r"count: \x1b]0;owned\x07\rno"),
        ("submit", r"Counts\x1b[2J\rwell"),
    ):
        monkeypatch.setenv("COMP_WORDS", f"orpheus {words} ")
        monkeypatch.setenv("COMP_CWORD", "" if shell == "fish" else "2")
        complete = get_completion_class(shell)
        assert complete is not None
        answer = complete(group, {}, "orpheus", "_ORPHEUS_COMPLETE").complete()
        assert answer.replace("\n", "").replace("\t", "").isprintable()
        assert shell == "bash" or told in answer


def test_the_database_that_the_options_name_is_asked(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"database.url=sqlite:///{tmp_path}/data/orpheus.db"
    (tmp_path / "own.toml").write_text("[api]\nprot = 1\n" + url.replace("=", "='", 1) + "'\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert completed("retry", "") == []
    assert completed("--set", url, "retry", "") == ["1"]
    assert completed("retry", "--set", url, "") == ["1"]
    assert completed("schedules", "--set", url, "pause", "") == ["nightly"]
    monkeypatch.setenv("ORPHEUS_DATABASE__URL", url.partition("=")[2])
    assert completed("retry", "") == ["1"]
    assert [one.name for one in (tmp_path / "elsewhere").iterdir()] == []


def test_nothing_is_said_whatever_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("", "[database]\nurl = 'x", "[database]\nurl = 5\n", "database = 5\n"):
        (tmp_path / "own.toml").write_text(text)
        assert completed("--config", "own.toml", "retry", "") == []
    assert completed("--config", "missing.toml", "retry", "") == []
    assert capfd.readouterr() == ("", "")


def test_a_locked_database_delays_no_prompt(store: Store) -> None:
    store.close()
    holder = apsw.Connection("data/orpheus.db")
    holder.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").fetchall()
    began_s = time.monotonic()
    assert completed("retry", "") == []
    holder.close()
    assert time.monotonic() - began_s < 5, "a command waits for 9 s"


@pytest.mark.usefixtures("filled")
def test_it_answers_without_what_takes_long_to_import(tmp_path: Path) -> None:
    code = (
        "import sys, atexit; from orpheus.supervisor.__main__ import run;"
        "from orpheus.supervisor.cli import completing; completing._LONGEST_S = 60;"
        "slow = {'pydantic', 'rich', 'structlog', 'jsonschema_rs', 'psutil', 'fastapi'};"
        "atexit.register(lambda: print(sorted(slow & set(sys.modules)))); run([])"
    )
    environment = {
        "PYTHONPATH": str(ROOT),
        "_ORPHEUS_COMPLETE": "bash_complete",
        "COMP_WORDS": "orpheus retry ",
        "COMP_CWORD": "2",
    }
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr) == ("plain,1\n[]\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_takes(orpheus: Orpheus, shell: str) -> None:
    code, out, err = orpheus("completion", shell)
    assert (code, err) == (0, "")
    assert f"_ORPHEUS_COMPLETE={shell}_complete" in out
    assert orpheus("completion", shell, "--config", "a.toml", "--set", "api.port=1").out == out
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=out, text=True, check=True)


def test_bash_completes_a_command_by_it(orpheus: Orpheus, filled: Store, tmp_path: Path) -> None:
    script = orpheus("completion", "bash").out
    program = tmp_path / "bin" / "orpheus"
    program.parent.mkdir()
    main = "from orpheus.supervisor.__main__ import main; main()"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{main}' \"$@\"\n")
    program.chmod(0o755)
    typed = (
        f"{script}\nCOMP_WORDS=(orpheus retry '') COMP_CWORD=2\n"
        '_orpheus_completion orpheus; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{program.parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", typed],
        cwd=tmp_path,
        env={"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout == "1\n"


def test_the_help_of_completion_says_for_each_shell_what_to_write_where(orpheus: Orpheus) -> None:
    lines = orpheus("completion", "--help").out.splitlines()
    for shell in ("bash", "zsh", "fish"):
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f"  {shell}, in ~"))
        assert f"orpheus completion {shell}" in lines[at + 1]
