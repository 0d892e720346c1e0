"""What a running supervisor leaves for commands, and which command takes it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus.config.effective import command_settings, effective_note, read_effective
from orpheus.config.handovers import for_command_line
from orpheus.config.load import load_settings
from orpheus.config.settings import Settings
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.process.living_note import write_note
from orpheus.shared.storage import state_files

URL = "sqlite:///data/orpheus.db"
GOOD = """
[pools.mail]
workers = 3
queues = ["mail"]
[[programs]]
name = "web"
argv = ["sleep", "9"]
env = { TOKEN = "hush" }
"""
BROKEN = {
    "syntax": GOOD + "[api\n",
    "key": GOOD + "[api]\nprot = 1\n",
    "value": GOOD.replace('["mail"]', "5"),
    "not text": "\0",
}


def keep(settings: Settings) -> Path:
    """Let this process be the supervisor that works by these settings."""
    database = settings.database
    note = state_files(database.url, database.state_dir).running_settings
    note.parent.mkdir(exist_ok=True)
    write_note(note, effective_note(settings, 1_700_000_000_000, 2))
    return note


@pytest.fixture
def file(toml: Callable[[str], Path]) -> Path:
    return toml(GOOD)


@pytest.fixture
def running(file: Path) -> CommandLineHandover:
    """A supervisor that was started with the file."""
    settings = load_settings(file, (), {})
    keep(settings)
    return for_command_line(settings)


def test_what_is_kept_can_be_read_and_has_no_secret(file: Path) -> None:
    settings = load_settings(file, (), {})
    note = keep(settings)
    assert "hush" not in note.read_text()
    assert note.stat().st_mode & 0o777 == 0o600
    found = read_effective(state_files(URL))
    assert found is not None
    assert (found.handover, found.version) == (for_command_line(settings), 2)
    assert (found.config, found.sizes.pools) == (str(file), {"mail": 3})
    assert found.sizes.ends_within_s == {"web": 25}
    assert {one.key: one.value for one in found.settings}["pools.mail.queues"] == ["mail"]


@pytest.mark.parametrize(
    "change",
    [
        {"pid": None},
        {"boot_id": "another"},
        {"handover": {}},
        {"digest": 5},
    ],
)
def test_a_file_of_another_process_or_version_does_not_count(
    running: object, change: dict[str, object]
) -> None:
    note = state_files(URL).running_settings
    note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
    assert read_effective(state_files(URL)) is None


def test_a_file_of_another_user_does_not_count(
    running: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: 65_533)
    assert read_effective(state_files(URL)) is not None, "of the owner of the folder"
    os.chown(state_files(URL).running_settings.parent, 65_534, -1) if owner == 0 else None
    assert owner != 0 or read_effective(state_files(URL)) is None


def test_a_command_that_was_given_the_same_checks_nothing(
    file: Path, running: CommandLineHandover, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("# The same, in another way.\n" + GOOD)
    monkeypatch.setattr("orpheus.config.load.checked", None)
    assert command_settings(file, (), {}) == (running, [])


@pytest.mark.parametrize(
    ("sets", "environ"),
    [(["jobs.timeout=5"], {}), ((), {"ORPHEUS_JOBS__TIMEOUT": "5"})],
)
def test_a_command_that_was_given_anything_else_checks_it(
    file: Path, running: object, sets: list[str], environ: dict[str, str]
) -> None:
    handover, problems = command_settings(file, sets, environ)
    assert (handover.defaults.timeout_s, problems) == (5, [])


@pytest.mark.parametrize("name", BROKEN)
def test_a_command_whose_file_is_wrong_works_by_what_runs(
    file: Path, running: CommandLineHandover, name: str
) -> None:
    file.write_text(BROKEN[name])
    handover, problems = command_settings(file, (), {})
    assert (handover, len(problems)) == (running, 1)
    link = file.with_name("link.toml")
    link.symlink_to(file)
    assert command_settings(link, (), {})[0] == running
    file.unlink()
    assert command_settings(file, (), {})[0] == running


@pytest.mark.parametrize("name", BROKEN)
def test_where_nothing_runs_a_wrong_file_needs_the_database_to_be_named(
    file: Path, name: str
) -> None:
    file.write_text(BROKEN[name])
    with pytest.raises(ConfigurationError, match=r"--set database\.url=sqlite"):
        command_settings(file, (), {})
    handover, problems = command_settings(file, [f"database.url={URL}", "jobs.timeout=5"], {})
    assert (handover.storage.url, handover.defaults.timeout_s, len(problems)) == (URL, 5, 1)
    with pytest.raises(ConfigurationError, match="must be"):
        command_settings(file, ["database.url=5"], {})


def test_a_mistake_on_the_command_line_is_never_passed_over(file: Path, running: object) -> None:
    file.write_text(BROKEN["key"])
    with pytest.raises(ConfigurationError, match=r"did you mean jobs\.max_retries"):
        command_settings(file, ["jobs.max_retires=1"], {})


def test_the_supervisor_of_another_database_or_file_is_not_meant(
    file: Path, running: CommandLineHandover
) -> None:
    other = file.with_name("other.toml")
    other.write_text(f"[database]\nurl = 'sqlite:///data/second.db'\n{BROKEN['key']}")
    with pytest.raises(ConfigurationError, match=r"api\.prot"):
        command_settings(other, (), {})
    other.write_text(BROKEN["syntax"])
    with pytest.raises(ConfigurationError, match="is not TOML"):
        command_settings(other, (), {})
    assert command_settings(other, [f"database.url={URL}"], {})[0] == running


def test_a_password_is_not_kept_but_may_be_given_again(toml: Callable[[str], Path]) -> None:
    url = "postgresql://me:hush@localhost/jobs"
    file = toml(f"[database]\nurl = '{url}'\n")
    note = keep(load_settings(file, (), {}))
    assert "hush" not in note.read_text()
    assert command_settings(file, (), {})[0].storage.url == url
    file.write_text(f"{file.read_text()}prot = 1\n")
    handover, problems = command_settings(file, (), {})
    assert (handover.storage.url, len(problems)) == (url, 1)
    file.write_text("=")
    with pytest.raises(ConfigurationError):
        command_settings(file, (), {})
