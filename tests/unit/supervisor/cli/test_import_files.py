"""orpheus import."""

import io
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
    monkeypatch.setattr("orpheus.supervisor.cli.import_files.zone_of_host", lambda: "UTC")


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
    assert [line.split(":", 2)[:2] for line in err.splitlines()] == [
        ["crontab", "1"],
        ["crontab", "3"],
    ]
    assert "MAILTO=ops@shop.example: Orpheus sends no mail" in err


def test_json_holds_the_toml_its_data_and_what_was_left(orpheus: Orpheus) -> None:
    Path("crontab").write_text(f"{CRONTAB}0 4 * * * /opt/\udcff\n", errors="surrogateescape")
    answer = orpheus("import", "crontab", "crontab", "--json")
    assert (answer.code, answer.err) == (0, "")
    made = answer.json
    assert [one["argv"] for one in made["commands"]] == [["/opt/backup.sh"]]
    assert [one["type"] for one in made["schedules"]] == ["backup"]
    assert loaded(made["toml"]).commands[0].name == "backup"
    assert made["left"][0] == {
        "file": "crontab",
        "line": 1,
        "entry": None,
        "what": "MAILTO=ops@shop.example",
        "why": "Orpheus sends no mail",
        "instead": "let a rule of [[alerts]] mail what fails (docs/alerts.md); "
        "orpheus logs ID has the output",
    }
    assert [one["line"] for one in made["left"]] == [1, 3, 4]


def test_standard_input_is_a_file_too(orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(CRONTAB.encode()))
    monkeypatch.setattr("sys.stdin", text)
    code, out, err = orpheus("import", "crontab", "-")
    assert code == 0
    assert out.startswith("# Made of standard input by orpheus import.\n")
    assert err.startswith("standard input:1: not carried over: MAILTO=")


@pytest.mark.parametrize(("zone", "options"), [("Asia/Tokyo", []), (None, ["--timezone", "UTC"])])
def test_times_are_those_of_this_host_or_of_the_option(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch, zone: str | None, options: list[str]
) -> None:
    monkeypatch.setattr("orpheus.supervisor.cli.import_files.zone_of_host", lambda: zone)
    Path("crontab").write_text(CRONTAB)
    (schedule,) = loaded(orpheus("import", "crontab", "crontab", *options).out).schedules
    assert schedule.timezone == (zone or "UTC")


def test_a_zone_that_is_not_known_is_asked_for(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.supervisor.cli.import_files.zone_of_host", lambda: None)
    Path("crontab").write_text(CRONTAB)
    code, out, err = orpheus("import", "crontab", "crontab")
    assert (code, out) == (2, "")
    assert "give --timezone" in err
    Path("crontab").write_text("@every 5m /opt/a\nCRON_TZ=Asia/Tokyo\n0 1 * * * /opt/b\n")
    code, out, err = orpheus("import", "crontab", "crontab")
    assert code == 0
    assert [one.timezone for one in loaded(out).schedules] == ["UTC", "Asia/Tokyo"]
    assert "--timezone" not in out + err


@pytest.mark.parametrize(
    ("line", "options", "argv"),
    [
        ("root /opt/job", [], ["/opt/job"]),
        ("root /opt/job", ["--no-users"], ["root", "/opt/job"]),
        ("printer /opt/job", [], ["printer", "/opt/job"]),
        ("printer /opt/job", ["--users"], ["/opt/job"]),
    ],
)
def test_the_column_of_users_is_found_or_told(
    orpheus: Orpheus, line: str, options: list[str], argv: list[str]
) -> None:
    Path("crontab").write_text(f"0 3 * * * {line}\n")
    made = orpheus("import", "crontab", "crontab", "--json", *options).json
    assert [one["argv"] for one in made["commands"]] == [argv]


def test_a_column_that_only_some_lines_seem_to_have_is_told(orpheus: Orpheus) -> None:
    Path("crontab").write_text("0 3 * * * root /opt/a\n0 4 * * * printer /opt/b\n")
    told = (
        "orpheus: warning: a command begins with a user's name: if that is a column, give --users\n"
    )
    assert orpheus("import", "crontab", "crontab").err.startswith(told)
    assert told not in orpheus("import", "crontab", "crontab", "--users").err


def test_files_that_supervisord_includes_are_read(orpheus: Orpheus) -> None:
    Path("etc/conf.d").mkdir(parents=True)
    Path("etc/main.conf").write_text("[include]\nfiles = conf.d/*.conf %(here)s/none.conf\n")
    for name in ("b", "a"):
        text = f"[program:{name}]\ncommand=%(here)s/{name}\numask=022\n"
        Path(f"etc/conf.d/{name}.conf").write_text(text)
    code, out, err = orpheus("import", "supervisord", "etc/main.conf")
    assert code == 0
    folder = Path("etc/conf.d").absolute()
    assert [one.argv for one in loaded(out).programs] == [(f"{folder}/a",), (f"{folder}/b",)]
    told = [line.split(": not carried over")[0] for line in err.splitlines()]
    assert told == ["conf.d/a.conf:3 (a)", "conf.d/b.conf:3 (b)", "etc/main.conf:2"]


def test_the_env_file_beside_a_procfile_is_used(orpheus: Orpheus) -> None:
    Path("shop").mkdir()
    Path("shop/Procfile").write_text("web: serve\n")
    (program,) = loaded(orpheus("import", "procfile", "shop/Procfile").out).programs
    assert (program.cwd, program.env_file) == ("shop", "")
    Path("shop/.env").write_text("A=1\n")
    (program,) = loaded(orpheus("import", "procfile", "shop/Procfile").out).programs
    assert (program.cwd, program.env_file) == ("shop", "shop/.env")


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        ("crontab", b"# only a comment\n", "nothing in file could be carried over"),
        ("crontab", b"@reboot /opt/job\n", "nothing in file could be carried over"),
        ("supervisord", b"0 3 * * * /opt/job\n", "file is no file of supervisord"),
        ("supervisord", b"[program:a]\n", "nothing in file could be carried over"),
        ("supervisord", b"[program:a]\ncommand=\xff\n", "file is not UTF-8 text"),
        ("procfile", b"web: a\0\n", "file is no text: it contains NUL"),
        ("procfile", b"", "nothing in file could be carried over"),
    ],
)
def test_a_file_with_nothing_to_carry_over_is_the_answer_no(
    orpheus: Orpheus, kind: str, content: bytes, why: str
) -> None:
    Path("file").write_bytes(content)
    code, out, err = orpheus("import", kind, "file")
    assert (code, out) == (1, "")
    assert why in err


@pytest.mark.parametrize("kind", ["crontab", "supervisord", "procfile"])
def test_a_file_that_cannot_be_read_is_the_answer_no(orpheus: Orpheus, kind: str) -> None:
    for path, why in (("none", os.strerror(2)), (".", os.strerror(21))):
        code, out, err = orpheus("import", kind, path)
        assert (code, out) == (1, "")
        assert err == f"orpheus: cannot read {path}: {why}\n"


def test_a_file_that_is_too_large_is_not_read(orpheus: Orpheus) -> None:
    with Path("huge").open("wb") as file:
        file.truncate(5 * 2**20)
    assert "huge is larger than 4 MiB" in orpheus("import", "crontab", "huge").err
