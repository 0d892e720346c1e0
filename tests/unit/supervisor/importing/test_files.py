"""Files as public projects have them: beside each stands the TOML that is printed for it."""

import tomllib
from pathlib import Path

import pytest

from orpheus.config.load import load_settings
from orpheus.supervisor.importing import crontab, procfile, supervisord
from orpheus.supervisor.importing.imported import Imported, SourceFile

FILES = Path(__file__).parent / "files"
NAMES = sorted(path.name for path in FILES.iterdir() if path.is_file() and path.suffix != ".toml")


def source(name: str) -> SourceFile:
    return SourceFile(name, (FILES / name).read_text(encoding="utf-8"), "/srv/moving")


def converted(name: str) -> Imported:
    if name.startswith("crontab"):
        has_users = name == "crontab-of-the-system"
        return crontab.convert(source(name), "Europe/Berlin", "root", has_users=has_users)
    if name.startswith("Procfile"):
        return procfile.convert(source(name), "", ".env" if name == "Procfile-of-sync" else "")
    return supervisord.convert(source(name), "root")


@pytest.mark.parametrize("name", NAMES)
def test_the_toml_is_the_one_beside_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (FILES / f"{name}.toml").read_text(encoding="utf-8")
    assert converted(name).to_toml(name) == text
    monkeypatch.chdir(tmp_path)
    Path(".env").touch()
    limits = "[supervisor]\nshutdown_deadline = '2h'\n"  # of a program that may take an hour
    Path("orpheus.toml").write_text(f"{text}\n{limits}", encoding="utf-8")
    settings = load_settings(Path("orpheus.toml"), (), {})
    for table, entries in tomllib.loads(text).items():
        assert [entry.name for entry in getattr(settings, table)] == [
            one["name"] for one in entries
        ]
