"""Finds which configuration is in force, and since when: there is one even if the file is wrong.

What the file holds is not always what runs. While a supervisor runs, it works by the version that
it took last. Without one, each program works by what the file held when it was started; then the
file counts as it is, or, if it is not valid, its last version that is.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from orpheus.config.editing.versions import Versions
from orpheus.config.load import checked
from orpheus.config.running_settings import RunningSettings, load_running_settings
from orpheus.config.settings import Settings
from orpheus.config.shown import shown_settings
from orpheus.config.sources import Sources, sources_with
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.operations.configuration import (
    ConfigurationInForce,
    ConfigurationVersion,
    Setting,
)

Found = tuple[ConfigurationInForce, tuple[Setting, ...]]


class FileNow(msgspec.Struct, frozen=True):
    """The file, what else sets values, and what both lead to as they are.

    `settings` is None if nothing can be made of them.
    """

    path: Path | None
    sets: Sequence[str]
    environ: Mapping[str, str]
    versions: Versions
    sources: Sources
    settings: Settings | None
    is_valid: bool
    is_gone: bool


def effective(now: FileNow, running: RunningSettings | None) -> Found:
    """Return what is in force, and its settings. `running`: what a supervisor works by."""
    if running is not None:
        return _of_supervisor(now, running)
    if now.path is None:
        return _found(None, None, _WITHOUT_FILE, _shown(now))
    newest = now.versions.newest()
    if now.is_valid:
        is_newest = newest is not None and newest.text == now.sources.text
        text = "No supervisor is running. The next start takes the file as it is."
        return _found(now.path, newest if is_newest else None, text, _shown(now))
    for version in now.versions.all():
        sources = sources_with(version.text, now.path, now.sets, now.environ)
        settings, problems = checked(sources)
        if settings is not None and not problems:
            state = "gone" if now.is_gone else "not valid"
            text = (
                f"No supervisor is running, and the file is {state}, "
                f"so nothing can be started. Shown is its last valid version, {version.number}."
            )
            return _found(now.path, version, text, tuple(shown_settings(settings, sources)))
    text = (
        "No supervisor is running, and the file is not valid, so nothing can be started. "
        "Shown is the default in place of each value that is wrong."
    )
    return _found(now.path, None, text, _shown(now))


_WITHOUT_FILE = "There is no file: these are the defaults, the environment and --set."


def _of_supervisor(now: FileNow, running: RunningSettings) -> Found:
    if running.config is None:
        settings = _kept_settings(now, running) if now.path else _shown(now)
        return _found(None, None, _WITHOUT_FILE, settings, running.since_ms)
    path = Path(running.config)
    is_ours = now.path is not None and os.path.realpath(now.path) == running.config
    shown_path = now.path if is_ours and now.path is not None else path
    version = None
    if running.version is not None and is_ours:
        version = now.versions.get(running.version)
    if version is None:
        settings = _kept_settings(now, running) or _shown(now)
        text = "The supervisor works by the file as it was when it was taken."
        return _found(shown_path, None, text, settings, running.since_ms)
    sources = sources_with(version.text, shown_path, now.sets, now.environ)
    settings_then, _ = checked(sources)
    settings = tuple(shown_settings(settings_then, sources)) if settings_then else ()
    if version.text == now.sources.text and not _was_saved_again(version, now.versions):
        text = "The supervisor works by the file as it is."
    elif now.is_gone:
        text = "The file is gone; what it set stays in force."
    elif now.is_valid and now.versions.rejection(now.sources.text) is not None:
        text = "The file has changed since: what it holds now was rejected."
    elif now.is_valid:
        text = "The file has changed since: what it holds now is not in force, or not yet."
    else:
        text = "The file has changed since: what it holds now is not valid, so it was not taken."
    return _found(shown_path, version, text, settings, running.since_ms)


def _was_saved_again(version: ConfigurationVersion, versions: Versions) -> bool:
    """Return whether the same text has come into the file once more, and is not in force yet.

    If only another text counted, a caller would learn whether a guessed secret is the one in force.
    """
    newest = versions.newest()
    return newest is not None and newest.number > version.number and newest.text == version.text


def _kept_settings(now: FileNow, running: RunningSettings) -> tuple[Setting, ...]:
    try:
        settings = load_running_settings(running, now.sets, now.environ)
    except ConfigurationError:
        return ()
    sources = Sources()
    sources.add(running.tables, "the supervisor")
    return tuple(shown_settings(settings, sources))


def _shown(now: FileNow) -> tuple[Setting, ...]:
    settings = now.settings or Settings()
    return tuple(shown_settings(settings, now.sources))


def _found(
    file: Path | None,
    version: ConfigurationVersion | None,
    text: str,
    settings: tuple[Setting, ...],
    since_ms: int | None = None,
) -> Found:
    number = None if version is None else version.number
    name = None if file is None else str(file)
    return ConfigurationInForce(name, number, since_ms, text), settings
