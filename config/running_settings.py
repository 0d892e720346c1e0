"""The settings that a running supervisor works by, for commands whose configuration file is wrong.

A file that does not check changes nothing for what runs. But a command that is started meanwhile
reads the file, too: with its defaults `orpheus why` would say that no pool serves a queue, and if
the line of `database.url` is broken, nothing would say which database is meant. So each supervisor
keeps its settings in a file beside its lock, without what is secret in them. That file counts only
while its supervisor runs.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orpheus.config.handovers import for_command_line, program_stop_timeout_s
from orpheus.config.known import read_kept
from orpheus.config.load import checked
from orpheus.config.settings import Database, Settings
from orpheus.config.shown import shown_values
from orpheus.config.sources import Sources, config_file
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.operations.configuration import MASK
from orpheus.shared.process.living_note import write_note
from orpheus.shared.process.state_files import LOCK_NAME, settings_beside

_TABLES = ("database", "api", "pools", "queues", "jobs", "leases", "heartbeats", "supervisor")


class RunningSettings(msgspec.Struct, frozen=True):
    """The tables of a running supervisor's settings; `config` is its file, as an absolute path."""

    config: str | None
    tables: dict[str, Any]
    since_ms: int | None = None
    version: int | None = None
    """The version of its file (config/editing/versions.py); None: there is none."""

    @property
    def url(self) -> str | None:
        """The URL of its database; None if it has a password, so that it is not kept."""
        url: str | None = self.tables["database"].get("url")
        return url

    def slots(self) -> Settings | None:
        """Return only what it starts, and how: that is kept whatever its database is."""
        kept = {name: self.tables.get(name) for name in ("supervisor", "pools", "programs")}
        sources = Sources()
        sources.add({name: value for name, value in kept.items() if value}, "what runs")
        return checked(sources)[0]


def keep_running_settings(
    path: Path, settings: Settings, since_ms: int | None = None, version: int | None = None
) -> None:
    """Write this process's settings to `path`, in one step. Raises OSError."""
    values = shown_values(settings)
    tables = {name: values[name] for name in _TABLES}
    tables["database"] = {k: v for k, v in tables["database"].items() if v != MASK}
    tables["programs"] = [
        {
            "name": one.name,
            "argv": one.argv,
            "instances": one.instances,
            "stop_timeout": program_stop_timeout_s(one, settings),
        }
        for one in settings.programs
    ]
    config = None if settings.source is None else os.path.realpath(settings.source)
    note = {"config": config, "settings": tables, "since_ms": since_ms, "version": version}
    if settings.given and MASK not in values["database"].values():
        handover = msgspec.to_builtins(for_command_line(settings))
        note["commands"] = {"given": settings.given, "handover": handover}
    write_note(path, note)


def forget_running_settings(path: Path) -> None:
    """Delete the file: the supervisor ends."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def running_settings_at(path: Path, of_owner: str | Path | None = None) -> RunningSettings | None:
    """Return what is kept at `path`, if its supervisor runs.

    It must have been written by this user, or by the owner of the file or folder `of_owner`.
    """
    note = read_kept(path, of_owner)
    if note is None or not isinstance(note.get("settings"), dict):
        return None
    return RunningSettings(
        note.get("config"), note["settings"], note.get("since_ms"), note.get("version")
    )


def running_settings_of(config: Path | None, environ: Mapping[str, str]) -> RunningSettings | None:
    """Return the settings of the one supervisor that was started with this file; else None."""
    file = os.path.realpath(config_file(config, environ))
    found = [
        kept
        for path in map(settings_beside, _held_locks())  # anybody can lock a file of this name
        if (kept := running_settings_at(path, of_owner=file)) is not None and kept.config == file
    ]
    return found[0] if len(found) == 1 else None


def load_running_settings(
    kept: RunningSettings,
    sets: Sequence[str],
    environ: Mapping[str, str],
    named: Database | None = None,
) -> Settings:
    """Return the settings with those that run in place of the file.

    `named`: the database, as far as the file could be read. Its URL wins: a command must not change
    another database than the one that the file names. A URL with a password is not kept, anyway.
    Raises ConfigurationError, also if nothing tells the URL of the database.
    """
    sources = Sources()
    database = dict(kept.tables["database"])
    if named is not None:
        database = {"listen_url": named.listen_url, **database, "url": named.url}
    sources.add({**kept.tables, "database": database}, "what runs")
    sources.read_others(sets, environ)
    if sources.origin(("database", "url")) is None:
        raise ConfigurationError("database.url: it has a password, so it is not kept")
    settings, problems = checked(sources)
    if problems or settings is None:
        raise ConfigurationError(*map(sources.line, problems))
    return settings


def _held_locks() -> Iterator[Path]:
    """Yield the lock of each running supervisor of this host that we may look at."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    pids = {fields[4] for line in lines if (fields := line.split())[1:2] == ["FLOCK"]}
    for pid in pids:
        for name in _opened_by(pid):
            if name.endswith(LOCK_NAME):
                yield Path(name)


def _opened_by(pid: str) -> Iterator[str]:
    """Yield the paths of the files that a process has open; none of another user's process."""
    with contextlib.suppress(OSError):
        for link in list(Path(f"/proc/{pid}/fd").iterdir()):
            with contextlib.suppress(OSError):  # it was closed meanwhile
                yield str(link.readlink())
