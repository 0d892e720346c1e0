"""The command `orpheus`: help, usage errors, starting, and what every command has in common."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click import Context

from orpheus.shared.storage import Store
from orpheus.supervisor.cli.app import orpheus as group
from tests.audit_log import entries_of

Orpheus = Callable[..., Any]
ROOT = Path(__file__).parents[4]
MAIN = "from orpheus.supervisor.__main__ import main; main()"


def test_help_lists_every_command_with_its_own_words(orpheus: Orpheus) -> None:
    code, out, _ = orpheus("--help")
    assert code == 0
    assert "orpheus completion bash" in out
    assert orpheus("help").out == out
    assert orpheus("help", "jobs").out == orpheus("jobs", "--help").out
    context = Context(group)
    for item in group.shell_complete(context, ""):
        command = group.get_command(context, item.value)
        assert command is not None
        assert command.name == item.value
        assert f"\n  {item.value} " in out
        assert orpheus(item.value, "--help").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["jbos"], "orpheus: No such command 'jbos'; did you mean 'jobs'?"),
        (["xyzzy"], "orpheus: No such command 'xyzzy'. (see orpheus --help)"),
        (["jobs", "--tag", "\udcff"], "is not UTF-8"),
        (["cancel", "1", "--reason", "r" * 1_001], "must have at most 1000 characters"),
        (["pause", "a b"], "'a b' is not a valid name"),
        (["logs", "web"], "'web' is neither a job's id nor a program's slot"),
        (["acknowledge", "slot", "--for", "0"], "must be more than zero"),
    ],
    ids=lambda value: " ".join(map(ascii, value)) if isinstance(value, list) else "",
)
def test_a_usage_error_is_one_line_and_exits_2(
    arguments: list[str], message: str, orpheus: Orpheus, store: Store
) -> None:
    code, out, err = orpheus(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert "--help" in err


def test_without_a_command_the_supervisor_runs(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def run_supervisor(read: Callable[[], Any], _: object, sets: Sequence[str]) -> int:
        started.append((read().api.port, tuple(sets)))
        return 4

    monkeypatch.setattr("orpheus.supervisor.run.run_supervisor", run_supervisor)
    assert orpheus("--set", "api.port=0").code == 4
    assert started == [(0, ("api.port=0",))]


def test_what_is_not_there_exits_1(orpheus: Orpheus, store: Store) -> None:
    for command in ("show", "logs", "cancel", "retry", "run", "delete", "why"):
        assert orpheus(command, "99") == (1, "", "orpheus: there is no job 99\n")
    assert "there is no schedule 'nix'" in orpheus("schedules", "run", "nix").err
    assert orpheus("release", "nix").code == 1


def test_who_acts_is_recorded_and_a_user_without_a_name_by_number(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_name() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setenv("LOGNAME", "ada")
    assert orpheus("pause", "mail", "--reason", "a release").code == 0
    monkeypatch.setattr("getpass.getuser", no_name)
    assert orpheus("resume", "mail", "--reason", "").code == 0
    told = [(row.action, row.by, row.reason) for row in entries_of(store, 9)]
    assert told == [("resume", f"cli:{os.getuid()}", None), ("pause", "cli:ada", "a release")]
