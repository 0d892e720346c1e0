"""The effective settings: what a running supervisor works by, as a JSON file in its state folder.

The supervisor writes the file at its start and at each reload, and deletes it when it ends; it
counts only while its supervisor runs. It has two readers. A command that was given exactly the same
sources takes its settings from there, because importing and checking them is most of a command's
time. And a command whose own configuration has a problem warns, and works by what runs. The file is
only for its owner, and passwords are left out.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from orpheus.config.dev import DEV_DATABASE, DEV_URL, dev_defaults
from orpheus.config.files import etag_of, is_there
from orpheus.config.sources import Sources, read_sources
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.messages.configuration import Setting
from orpheus.shared.operations.configuration import Sizes
from orpheus.shared.process.living_note import read_note
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import locked_file, state_files

if TYPE_CHECKING:  # pydantic takes longer to import than a command may take
    from orpheus.config.settings import Settings

_DEFAULT_DATABASE = Path("data/orpheus.db")
_DEFAULT_URL = f"sqlite:///{_DEFAULT_DATABASE}"
NO_SUPERVISOR = (
    "no supervisor runs whose settings could be used; mend the configuration, or name the database "
    "and take the defaults: --set database.url=sqlite:///FILE"
)


class Effective(Struct, frozen=True):
    """What a running supervisor works by."""

    config: str | None
    """The absolute path of its file."""
    etag: str | None
    """The state of that file when it was read (`etag_of`)."""
    digest: str
    """Of what its sources said; empty if the handover lacks a password."""
    since_ms: int
    version: int | None
    """The number of its text (config/editing/versions.py)."""
    handover: CommandLineHandover
    """The URLs of the database are empty if one of them has a password."""
    sizes: Sizes
    settings: tuple[Setting, ...]
    """Every setting, masked, with what set it."""


class NamedDatabase(Struct, frozen=True):
    """The database that the sources name, before anything else of them is checked."""

    url: str
    state_dir: str
    listen_url: str
    is_certain: bool
    """False if the file cannot be read, and only the file may name the database."""


def command_sources(
    config: Path | None, sets: Sequence[str], environ: Mapping[str, str]
) -> Sources:
    """Read the sources of a command or a client.

    If they name no database, it is that of `orpheus dev` in this folder if that runs now, or if
    there is no other.
    """
    sources = read_sources(config, sets, environ)
    if sources.origin(("database", "url")) is None:
        is_only = is_there(DEV_DATABASE) and not is_there(_DEFAULT_DATABASE)
        if is_only or read_effective(state_files(DEV_URL, "")) is not None:
            return read_sources(config, sets, environ, dev_defaults())
    return sources


def named_database(sources: Sources) -> NamedDatabase | None:
    """Return the database that the sources name, or the default; None if a value is not text."""
    table = sources.merged().get("database", {})
    if not isinstance(table, Mapping):
        return None
    url, state_dir, listen_url = (
        table.get("url", _DEFAULT_URL), table.get("state_dir", ""), table.get("listen_url", ""),
    )  # fmt: skip
    if not all(isinstance(value, str) for value in (url, state_dir, listen_url)):
        return None
    is_certain = sources.is_readable or "url" in table
    return NamedDatabase(url, state_dir, listen_url, is_certain)


def read_effective(state: StateFiles) -> Effective | None:
    """Return the effective settings of the supervisor that runs there; None if none does.

    The file must be of this user or of the owner of the folder, who could replace the database.
    """
    path = state.running_settings
    try:
        note = read_note(path, {os.geteuid(), path.parent.stat().st_uid})
        return None if note is None else msgspec.convert(note, Effective)
    except (OSError, msgspec.ValidationError):  # of another version
        return None


def effective_for(sources: Sources) -> Effective | None:
    """Return the effective settings of the supervisor that the sources mean; None if none runs.

    It works on the database that they name. If the file cannot be read and nothing else names one,
    it is the supervisor of that file, if it keeps its database at the default place.
    """
    named = named_database(sources)
    if named is None:
        return None
    try:
        found = read_effective(state_files(named.url, named.state_dir))
        if found is None:
            return None
        if not named.is_certain:
            is_meant = found.config == os.path.realpath(str(sources.file))
        else:  # a folder has one supervisor, and may have several databases
            url = found.handover.storage.url or named.url
            is_meant = locked_file(url) == locked_file(named.url)
    except (ConfigurationError, OSError, ValueError):  # the full check says what is wrong
        return None
    if is_meant and not found.handover.storage.url and named.is_certain:
        storage = replace(found.handover.storage, url=named.url, listen_url=named.listen_url)
        handover = replace(found.handover, storage=storage)
        found = replace(found, handover=handover)
    return found if is_meant and found.handover.storage.url else None


def command_settings(
    config: Path | None, sets: Sequence[str], environ: Mapping[str, str]
) -> tuple[CommandLineHandover, list[str]]:
    """Return what a command or a client needs, and the problems of the configuration.

    With problems, it is what the running supervisor works by. If none runs, but `--set` or a
    variable names the database, it is what these and the defaults say.
    Raises ConfigurationError if neither helps, or if `--set` itself is wrong.
    """
    sources = command_sources(config, sets, environ)
    found = effective_for(sources)
    if found is not None and not sources.problems and found.digest == sources.digest():
        return found.handover, []
    from orpheus.config.handovers import for_command_line  # noqa: PLC0415
    from orpheus.config.load import checked  # noqa: PLC0415 - imports pydantic

    settings, problems = checked(sources)
    if settings is not None and not problems:
        return for_command_line(settings), []
    lines = [sources.line(problem) for problem in problems]
    if any(sources.where_to_fix(problem) == "--set" for problem in problems):
        raise ConfigurationError(*lines)
    if found is not None:
        return found.handover, lines
    others = Sources().read_others(sets, environ)
    settings, problems = checked(others)
    if settings is None or problems or others.origin(("database", "url")) is None:
        raise ConfigurationError(*lines, NO_SUPERVISOR)
    return for_command_line(settings), lines


def effective_note(settings: "Settings", since_ms: int, version: int | None) -> dict[str, Any]:
    """Return what a supervisor with these settings writes into its file."""
    from orpheus.config.handovers import (  # noqa: PLC0415
        for_command_line,
        sizes_of,
    )
    from orpheus.config.shown import may_have_password, shown_settings  # noqa: PLC0415

    handover, digest = for_command_line(settings), settings.sources.digest()
    database = settings.database
    if may_have_password(database.url) or may_have_password(database.listen_url):
        storage = replace(handover.storage, url="", listen_url="")
        handover, digest = replace(handover, storage=storage), ""
    note: dict[str, Any] = msgspec.to_builtins(
        Effective(
            config=None if settings.source is None else os.path.realpath(settings.source),
            etag=etag_of(settings.sources.state),
            digest=digest,
            since_ms=since_ms,
            version=version,
            handover=handover,
            sizes=sizes_of(settings),
            settings=tuple(shown_settings(settings)),
        )
    )
    return note
