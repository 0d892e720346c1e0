"""`orpheus config check` and `config show`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.supervisor import __main__ as program

Orpheus = Callable[..., Any]


TOML = """
[[commands]]
name = "thumbnail"
argv = ["no-such-program", "{path}"]
"""


def test_a_command_whose_program_is_missing_is_told_by_the_check_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text(TOML)
    assert program.run(["config", "check", "--config", "own.toml"]) == 78
    assert capsys.readouterr().err == (
        "orpheus: own.toml:4: commands.0.argv: "
        "the program 'no-such-program' is not there, or not executable\n"
    )
    assert program.run(["config", "show", "--config", "own.toml"]) == 0


def test_settings_are_taken_before_and_after_the_command(orpheus: Orpheus) -> None:
    code, out, _ = orpheus("--set", "api.port=1", "config", "show", "--set", "jobs.timeout=1m")
    assert code == 0
    assert "api.port = 1 " in out
    assert "jobs.timeout = 60 " in out
    assert out.count("# --set") == 2


def test_a_good_configuration_is_said_to_be_one(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("api.port = 9000\n")
    assert orpheus("config", "check").out == "no file, the defaults: ok\n"
    assert orpheus("config", "check", "--config", "own.toml").out == "own.toml: ok\n"
    shown = orpheus("config", "show", "--config", "own.toml", "--json").json
    assert shown["api"]["port"] == 9000
    assert shown["source"] == "own.toml"
