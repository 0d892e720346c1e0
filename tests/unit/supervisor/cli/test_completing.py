"""Completion in a shell: names of commands and what is in the database, in silence."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import BashComplete

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store
from orpheus.supervisor.cli.app import orpheus as group
from tests.machine import PATIENCE_S, wait_until

Orpheus = Callable[..., Any]
ROOT = Path(__file__).parents[4]
MAIN = "from orpheus.supervisor.__main__ import main; main()"


def completed(*words: str) -> list[str]:
    """What a shell would offer for the last of the words."""
    shell = BashComplete(group, {}, "orpheus", "_ORPHEUS_COMPLETE")
    return [one.value for one in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def filled(supervised: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Jobs 1 and 2, and slots; a busy machine may take its time."""
    monkeypatch.setattr("orpheus.supervisor.cli.completing._LONGEST_S", PATIENCE_S)
    supervised.jobs.submit_many([NewJob("count"), NewJob("words", queue="mail")])
    return supervised


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("show ", ["2", "1"]),
        ("cancel 1", ["1"]),
        ("logs ", ["2", "1"]),
        ("restart d", ["default-1", "default-2"]),
        ("pause m", ["mail"]),
        ("jobs --queue ", ["default", "mail"]),
        ("jobs --type ", ["count", "words"]),
        ("jobs --status f", ["failed"]),
        ("submit c", ["count"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("sc", ["scale", "schedules"]),
        ("db b", ["backup"]),
    ],
)
def test_what_is_there_is_offered(words: str, offered: list[str]) -> None:
    assert completed(*words.split(" ")) == offered


def test_nothing_is_said_whatever_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("", "[database]\nurl = 'x", "[database]\nurl = 5\n", "database = 5\n"):
        (tmp_path / "own.toml").write_text(text)
        assert completed("--config", "own.toml", "show", "") == []
    assert completed("--config", "missing.toml", "show", "") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("filled")
def test_bash_completes_a_command_by_it(orpheus: Orpheus, tmp_path: Path) -> None:
    script = orpheus("completion", "bash").out
    program = tmp_path / "bin" / "orpheus"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{MAIN}' \"$@\"\n")
    program.chmod(0o755)
    typed = (
        f"{script}\nCOMP_WORDS=(orpheus show 1) COMP_CWORD=2\n"
        '_orpheus_completion orpheus; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    def completes() -> bool:
        ended = subprocess.run(
            ["bash", "-c", typed],
            cwd=tmp_path,
            env={"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        return ended.stdout == "1\n"

    wait_until(completes, "the ids")  # on a busy machine it gives up after a second
