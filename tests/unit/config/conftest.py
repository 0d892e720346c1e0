"""A directory of its own for each test, so that no configuration file is found by chance."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from orpheus.config.load import load_settings
from orpheus.config.settings import Settings
from orpheus.shared.errors import ConfigurationError


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def toml(own_directory: Path) -> Callable[[str], Path]:
    """Writes a configuration file and gives its path."""

    def write(text: str) -> Path:
        path = own_directory / "orpheus.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def problems() -> Callable[..., list[str]]:
    """The lines of the refusal that a configuration meets."""

    def refused(
        config: Path | None = None,
        sets: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> list[str]:
        with pytest.raises(ConfigurationError) as refusal:
            load_settings(config, sets, environ or {})
        return str(refusal.value).splitlines()

    return refused


@pytest.fixture
def load() -> Callable[..., Settings]:
    def settings(
        config: Path | None = None,
        sets: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Settings:
        return load_settings(config, sets, environ or {})

    return settings
