"""orpheus import."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.load import load_settings
from orpheus.config.settings import Settings

Orpheus = Callable[..., Any]
CRONTAB = "MAILTO=ops@shop.example\n0 3 * * * /opt/backup.sh\n@reboot /opt/warm-up\n"


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the zone of this machine be known, whichever it is."""
    monkeypatch.setattr("orpheus.supervisor.cli.import_files._zone_of_host", lambda: "UTC")


def loaded(toml: str) -> Settings:
    Path("made.toml").write_text(toml, encoding="utf-8")
    return load_settings(Path("made.toml"), (), {})


def test_a_crontab_is_printed_as_toml_and_the_rest_on_stderr(orpheus: Orpheus) -> None:
    Path("crontab").write_text(CRONTAB)
    code, out, err = orpheus("import", "crontab", "crontab", "--timezone", "Europe/Berlin")
    assert code == 0
    settings = loaded(out)
    assert [one.argv for one in settings.commands] == [("/opt/backup.sh",)]
    assert [one.timezone for one in settings.schedules] == ["Europe/Berlin"]
    first, second = err.splitlines()
    assert first == "crontab:1: not carried over: MAILTO=ops@shop.example"
    assert second.startswith("crontab:3: not carried over: @reboot /opt/warm-up (")


def test_the_users_of_a_crontab_are_no_commands(orpheus: Orpheus) -> None:
    Path("crontab").write_text("0 3 * * * nobody /opt/backup.sh\n")
    _, out, err = orpheus("import", "crontab", "crontab", "--users")
    assert [command.argv for command in loaded(out).commands] == [("/opt/backup.sh",)]
    assert "user nobody" in err


def test_the_env_file_beside_a_procfile_is_used(orpheus: Orpheus) -> None:
    Path("shop").mkdir()
    Path("shop/Procfile").write_text("web: serve\n")
    Path("shop/.env").write_text("A=1\n")
    (program,) = loaded(orpheus("import", "procfile", "shop/Procfile").out).programs
    assert (program.cwd, program.env_file) == ("shop", "shop/.env")


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        ("crontab", b"@reboot /opt/job\n", "nothing in file could be carried over"),
        ("supervisord", b"0 3 * * * /opt/job\n", "file is not a supervisord configuration"),
        ("supervisord", b"[program:a]\ncommand=\xff\n", "file is not UTF-8 text"),
        ("procfile", None, f"cannot read file: {os.strerror(2)}"),
    ],
)
def test_a_file_with_nothing_to_carry_over_is_the_answer_no(
    orpheus: Orpheus, kind: str, content: bytes | None, why: str
) -> None:
    if content is not None:
        Path("file").write_bytes(content)
    code, out, err = orpheus("import", kind, "file")
    assert (code, out) == (1, "")
    assert why in err
