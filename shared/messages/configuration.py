"""The configuration in force, its file, and what an edit leads to."""

from typing import Any

from msgspec import Struct

from orpheus.shared.messages.encoding import Time


class Setting(Struct, frozen=True):
    """A setting in force."""

    key: str
    value: Any
    """Durations are seconds, sizes are bytes."""
    origin: str
    """`default`, `config/orpheus.toml:12`, a variable, `--set`."""
    origins: tuple[str, ...]
    """For a list of tables, such as `[[schedules]]`: what set each of them. Else empty."""


class SettingProblem(Struct, frozen=True):
    """One thing to mend in the configuration."""

    key: str
    """Empty if the problem is in the whole text."""
    detail: str
    place: str | None
    """The file and line, the variable, or `--set`."""
    line: int | None
    """Its line in the file's text."""


class ConfigurationVersion(Struct, frozen=True):
    """A text that the configuration file has contained."""

    version: int
    at: Time
    by: str
    """As in the audit log; `file`: an editor on the machine has saved it."""
    reason: str | None
    text: str | None
    """Its secrets masked; null: they cannot be told apart from the rest."""
    in_file: bool
    """The file contains it now."""
    in_force: bool
    """The supervisor works by it."""


class ConfigurationVersions(Struct, frozen=True):
    """The versions of the configuration file that are kept, the newest first."""

    items: list[ConfigurationVersion]


class ConfigurationInForce(Struct, frozen=True):
    """Which configuration the supervisor works by. Without one, all but `text` is null."""

    file: str | None
    version: int | None
    """The one of GET /config/versions; null: it is not kept."""
    since: Time | None
    text: str
    """The same in words."""


class Configuration(Struct, frozen=True):
    """The configuration in force, and the file that can be edited."""

    path: str | None
    text: str | None
    """The file's text, its secrets masked."""
    etag: str | None
    """The state of the file, as the header ETag quotes it."""
    obstacle: str | None
    """Why it cannot be edited here, and what to do."""
    in_force: ConfigurationInForce
    settings: tuple[Setting, ...]
    """Those in force, also while the file has problems."""
    problems: tuple[SettingProblem, ...]
    rejected: str | None = None
    """Why the supervisor goes on with an earlier configuration, if it does."""


class ConfigurationChange(Struct, frozen=True, kw_only=True):
    """What an edit leads to. The lists are null where there is nothing to compare with."""

    written: bool
    etag: str | None
    """The state of the file, as the header ETag quotes it."""
    problems: tuple[SettingProblem, ...]
    refused: tuple[str, ...]
    """Settings that can only be changed on the machine."""
    text: str | None
    """The new text, its secrets masked; null with problems."""
    changed: tuple[str, ...] | None
    """Settings that would have other values; of several tables, which: `schedules: nightly`."""
    restarts: tuple[str, ...] | None
    """Slots whose process would be replaced."""
    starts: tuple[str, ...] | None
    stops: tuple[str, ...] | None
    takes_effect: str
    """When what is written is in force."""
