"""What a user is told who may not use a file."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.shared.process import owner
from orpheus.shared.process.owner import name_command, other_owner, run_as_owner


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has a user who owns nothing, and was started in a way that nobody knows."""
    monkeypatch.setattr(os, "geteuid", lambda: 65_533)
    monkeypatch.delenv("ORPHEUS_CONFIG", raising=False)
    before = list(owner._command)
    name_command([])
    yield
    name_command(before)


@pytest.fixture
def name(tmp_path: Path) -> str:
    return tmp_path.owner()


def test_the_owner_is_named(tmp_path: Path, name: str) -> None:
    assert run_as_owner(tmp_path / "not" / "there") == f": run it as its owner: sudo -u {name}"
    assert other_owner(tmp_path) == name


def test_the_whole_command_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_command(["/usr/bin/python3", "/opt/bin/orpheus", "submit", "count", "text=a b"])
    said = f": run it as its owner: sudo -u {name} /opt/bin/orpheus submit count 'text=a b'"
    assert run_as_owner(tmp_path) == said
    monkeypatch.setenv("ORPHEUS_CONFIG", "own.toml")
    name_command(["/usr/bin/python3", "-m", "orpheus"])
    assert run_as_owner(tmp_path).endswith(
        f"sudo -u {name} env ORPHEUS_CONFIG=own.toml /usr/bin/python3 -m orpheus"
    )


def test_an_owner_who_cannot_read_the_interpreter_is_not_told_to_run_it(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir(0o700)
    monkeypatch.setattr("sys.executable", str(private / "python"))
    monkeypatch.setattr(owner, "_may_read", lambda _uid, file: "private" not in file)
    said = run_as_owner(tmp_path)
    assert said.startswith(f": its owner is {name}, who cannot read {private}/python: install ")


def test_a_folder_that_others_may_not_enter_cannot_be_read_by_them(tmp_path: Path) -> None:
    public = Path("/usr/bin/env")
    private = tmp_path / "private"
    private.mkdir(0o700)
    assert owner._may_read(65_533, str(public))
    assert not owner._may_read(65_533, str(private / "python"))


def test_nothing_is_said_to_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid)
    assert (run_as_owner(tmp_path), other_owner(tmp_path)) == ("", "")
