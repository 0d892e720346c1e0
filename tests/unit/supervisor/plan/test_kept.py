"""What comes into force is kept for commands, and its text as a version."""

from pathlib import Path

import pytest

from orpheus.config.effective import read_effective
from orpheus.config.load import load_settings
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.storage import state_files
from orpheus.supervisor.plan.configuration import KeptConfiguration


def test_each_text_is_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "orpheus.toml"
    state = state_files(f"sqlite:///{tmp_path}/orpheus.db")
    kept = KeptConfiguration(state, SystemClock())

    def take(text: str) -> int | None:
        file.write_text(text)
        kept.take(load_settings(file, (), {}))
        effective = read_effective(state)
        assert effective is not None
        return effective.version

    assert take("[api]\nport = 1\n") == 1
    assert take("[api]\nport = 1\n") == 1
    assert take("[api]\nport = 2\n") == 2


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = state_files(f"sqlite:///{tmp_path}/file/orpheus.db")
    file = tmp_path / "orpheus.toml"
    file.write_text("")
    KeptConfiguration(state, SystemClock()).take(load_settings(file, (), {}))
