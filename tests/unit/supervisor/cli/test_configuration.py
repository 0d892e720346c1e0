"""`orpheus config check` looks for the programs of commands; no other command does."""

from pathlib import Path

import pytest

from orpheus.supervisor import __main__ as program

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
