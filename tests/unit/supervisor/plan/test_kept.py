"""What is in force is kept, with since when: only a change of it begins a new time."""

from pathlib import Path

import pytest

from orpheus.config.editing.versions import Versions
from orpheus.config.load import load_settings
from orpheus.config.running_settings import running_settings_at
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.storage import state_files
from orpheus.supervisor.plan.kept import KeptConfiguration


class Later(SystemClock):
    """A clock that goes on by a second each time."""

    now_ms = 1_700_000_000_000

    def wall_ms(self) -> int:
        self.now_ms += 1000
        return self.now_ms


def test_since_stays_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "orpheus.toml"
    state = state_files(f"sqlite:///{tmp_path}/orpheus.db")
    kept = KeptConfiguration(state, Later())

    def take(text: str) -> tuple[int | None, int | None]:
        file.write_text(text)
        kept.take(load_settings(file, (), {}))
        running = running_settings_at(state.running_settings)
        assert running is not None
        return running.version, running.since_ms

    first = take("[api]\nport = 1\n")
    file.write_text("[api]\nport = 'x'\n")
    kept.note_rejected("[api]\nport = 'x'\n", "api.port: must be a number")
    why = Versions(state.configurations, file).rejection("[api]\nport = 'x'\n")
    assert why == "api.port: must be a number"
    assert take("[api]\nport = 1\n") == first
    number, since_ms = take("[api]\nport = 2\n")
    assert number == 2
    assert since_ms is not None
    assert first[1] is not None
    assert since_ms > first[1]
