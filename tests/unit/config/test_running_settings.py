"""config/running_settings.py: what a supervisor keeps of its settings, and who may rely on it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orpheus.config.load import load_settings
from orpheus.config.running_settings import (
    forget_running_settings,
    keep_running_settings,
    load_running_settings,
    running_settings_at,
    running_settings_of,
)
from orpheus.config.settings import Settings
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.process.living_note import write_note

TEXT = """
[database]
url = "sqlite:///jobs/orpheus.db"

[api]
port = 9000

[pools.mail]
workers = 3
queues = ["mail"]
max_age = "1h"

[queues.mail]
rate = "5/s"

[[programs]]
name = "web"
argv = ["sleep", "9"]
env = { TOKEN = "hidden" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "orpheus.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return load_settings(config, (), {})


@pytest.fixture
def lock() -> Iterator[Callable[[Path, Settings], None]]:
    """Holds a lock as a supervisor does, and keeps its settings beside it."""
    held = []

    def take(path: Path, settings: Settings) -> None:
        path.parent.mkdir(exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        held.append(fd)
        keep_running_settings(path.with_suffix(".json"), settings)

    yield take
    for fd in held:
        os.close(fd)


def test_what_is_kept_gives_the_same_settings_again(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "supervisor.json"
    keep_running_settings(path, settings)
    kept = running_settings_at(path)
    assert kept is not None
    again = load_running_settings(kept, (), {})
    for table in ("database", "api", "pools", "queues", "jobs", "heartbeats", "supervisor"):
        assert getattr(again, table) == getattr(settings, table)
    assert [one.name for one in again.programs] == ["web"]
    assert load_running_settings(kept, ["api.port=1"], {"ORPHEUS_JOBS__TIMEOUT": "9"}).api.port == 1
    with pytest.raises(ConfigurationError, match=r"did you mean api\.port"):
        load_running_settings(kept, ["api.prot=1"], {})


def test_no_secret_is_kept_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.json"
    url = "postgresql://orpheus:hidden@localhost/app"
    settings = load_settings(None, [f"database.url={url}"], {})
    keep_running_settings(path, settings)
    assert "hidden" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    kept = running_settings_at(path)
    assert kept is not None and "url" not in kept.tables["database"]
    with pytest.raises(ConfigurationError, match="it has a password"):
        load_running_settings(kept, (), {})
    assert load_running_settings(kept, (), {}, settings.database).database == settings.database
    assert load_running_settings(kept, [f"database.url={url}"], {}).database.url == url


def test_the_url_that_was_told_wins(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "supervisor.json"
    keep_running_settings(path, settings)
    kept = running_settings_at(path)
    told = settings.database.model_copy(update={"url": "sqlite:///told.db"})
    assert kept is not None
    assert load_running_settings(kept, (), {}, told).database.url == "sqlite:///told.db"


def test_a_file_of_another_user_tells_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "supervisor.json"
    keep_running_settings(path, settings)
    monkeypatch.setattr(os, "geteuid", lambda: 65_533)
    assert running_settings_at(path) is None
    assert running_settings_at(path, of_owner=tmp_path) is not None
    assert running_settings_at(path, of_owner=tmp_path / "missing") is None
    link = tmp_path / "link.json"
    link.symlink_to(path)
    assert running_settings_at(link, of_owner=tmp_path) is None


def test_it_is_gone_with_its_supervisor(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "supervisor.json"
    assert running_settings_at(path) is None
    keep_running_settings(path, settings)
    assert running_settings_at(path) is not None
    forget_running_settings(path)
    assert running_settings_at(path) is None
    write_note(path, {"config": None})
    assert running_settings_at(path) is None, "of another version, perhaps"


def test_the_supervisor_of_a_file_is_found_by_its_lock(
    tmp_path: Path, config: Path, settings: Settings, lock: Callable[..., None]
) -> None:
    assert running_settings_of(config, {}) is None
    lock(tmp_path / "jobs" / "supervisor.lock", settings)
    kept = running_settings_of(config, {})
    assert kept is not None and kept.tables["pools"]["mail"]["workers"] == 3
    assert running_settings_of(None, {"ORPHEUS_CONFIG": str(config)}) == kept
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    assert running_settings_of(link, {}) == kept
    assert running_settings_of(tmp_path / "other.toml", {}) is None


def test_a_lock_of_another_user_tells_nothing(
    tmp_path: Path,
    config: Path,
    settings: Settings,
    lock: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock(tmp_path / "jobs" / "supervisor.lock", settings)
    config.unlink()  # else its owner is trusted, too
    assert running_settings_of(config, {}) is not None
    monkeypatch.setattr(os, "geteuid", lambda: 65_533)
    assert running_settings_of(config, {}) is None


def test_of_two_supervisors_of_one_file_none_is_guessed(
    tmp_path: Path, config: Path, settings: Settings, lock: Callable[..., None]
) -> None:
    lock(tmp_path / "one" / "supervisor.lock", settings)
    lock(tmp_path / "two" / "supervisor.lock", settings)
    assert running_settings_of(config, {}) is None
