"""The configuration as it is shown and edited over HTTP: the values that both sides exchange.

The API answers with these and never reads settings itself; config/editing/file.py makes them. So
only mains know the configuration, also in the calls that are about it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orpheus.shared.errors import OrpheusError

MASK = "••••••••"
"""Replaces a secret that is not shown. In a new text it means: keep the secret."""
LONGEST_TEXT = 131_072
"""Characters of a file that can be edited: checking a much larger one takes long."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and what set it: `default`, `orpheus.toml:12`, a variable, `--set`."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One thing to fix: the setting `key` (may be empty), set at `place`, in `line` of the text."""

    key: str
    detail: str
    place: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class ShownConfiguration:
    """The file and its settings. `etag` names its state, `obstacle` why it is not editable."""

    path: str | None
    text: str | None
    etag: str | None
    masked: int
    """How many secrets the text does not show."""
    obstacle: str | None
    settings: tuple[Setting, ...]
    """Empty while the file has problems: an earlier configuration is then in force."""
    problems: tuple[SettingProblem, ...]
    warnings: tuple[SettingProblem, ...]
    """Problems that do not stop a reload: commands whose program is missing."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A new text, or values for single settings (None: back to the default)."""

    text: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EditOutcome:
    """What an edit would do. `changed` and the slots are None if there is nothing to compare with.

    `refused`: keys that cannot be changed here; the rest is then not checked.
    """

    problems: tuple[SettingProblem, ...]
    warnings: tuple[SettingProblem, ...] = ()
    refused: tuple[str, ...] = ()
    text: str | None = None
    """The new text, its secrets masked; None with problems."""
    changed: tuple[str, ...] | None = None
    restarts: tuple[str, ...] | None = None
    starts: tuple[str, ...] | None = None
    stops: tuple[str, ...] | None = None
    watched: bool = True
    """Whether a running supervisor watches the file."""


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    """A checked edit: `content` may replace the file while its state is `etag`."""

    outcome: EditOutcome
    content: bytes
    etag: str


class ConfigurationEditor(Protocol):
    """Reads, checks and replaces the configuration file. Calls block for 10 to 300 ms."""

    def show(self) -> ShownConfiguration:
        """Return the file, and the settings that it leads to."""

    def plan(self, edit: Edit, seen: Collection[str] | None) -> PlannedEdit:
        """Return what `edit` would do; write nothing.

        `seen`: states that will do (FileChanged if it is another); None: whatever it is.
        Raises NotEditable.
        """

    def apply(self, planned: PlannedEdit) -> str:
        """Replace the file, keep the old one beside it as a backup, and return the new etag.

        Raises FileChanged, NotEditable, and OSError for a full disk.
        """


class NotEditable(OrpheusError):
    """There is no file, or it cannot be edited from here; the text says what to do instead."""


class FileChanged(OrpheusError):
    """The file has changed since the editor read it; nothing was written."""
