"""The configuration as it is shown and edited over HTTP: the values that both sides exchange.

The API answers with these and never reads settings itself; config/editing/file.py makes them. So
only the main programs know the configuration, even in the calls about it.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.errors import OrpheusError
from orpheus.shared.messages import configuration as messages
from orpheus.shared.messages.configuration import Configuration, SettingProblem
from orpheus.shared.messages.encoding import time_of

LONGEST_TEXT = 131_072
"""Characters of a file that can be edited: checking a much larger one takes long."""
BY_HAND = "file"
"""Who made a version that was found in the file."""


class ConfigurationVersion(Struct, frozen=True):
    """A text that the file has contained since `at_ms`, by whom and why.

    `by` is as in the audit log, or `file`: an editor on the machine has saved it.
    """

    number: int
    at_ms: int
    by: str
    reason: str | None
    text: str


class ShownVersion(Struct, frozen=True):
    """A version as it may be shown; `text` has its secrets masked.

    `text` is None if its secrets cannot be told apart from the rest, or if it is not TOML.
    """

    version: ConfigurationVersion
    text: str | None
    is_in_file: bool
    """The file contains it now."""
    is_in_force: bool
    """The supervisor works by it."""


def version_of(shown: ShownVersion) -> messages.ConfigurationVersion:
    """Return a version as it is answered."""
    kept = shown.version
    return messages.ConfigurationVersion(
        kept.number,
        time_of(kept.at_ms),
        kept.by,
        kept.reason,
        shown.text,
        shown.is_in_file,
        shown.is_in_force,
    )


class Edit(Struct, frozen=True):
    """A new text, or the number of the version whose text comes back."""

    text: str | None = None
    version: int | None = None


class EditOutcome(Struct, frozen=True):
    """What an edit would do. `changed` and the slots are None if there is nothing to compare with.

    `refused`: keys that cannot be changed here; the rest is then not checked.
    """

    problems: tuple[SettingProblem, ...] = ()
    refused: tuple[str, ...] = ()
    text: str | None = None
    """The new text with its secrets masked; None with problems."""
    changed: tuple[str, ...] | None = None
    restarts: tuple[str, ...] | None = None
    starts: tuple[str, ...] | None = None
    stops: tuple[str, ...] | None = None
    watched: bool = True
    """Whether a running supervisor watches the file."""


class PlannedEdit(Struct, frozen=True):
    """A checked edit: `content` may replace the file while it contains `replaces` (None: is gone).

    `etag` names the state of the file when it was read.
    """

    outcome: EditOutcome
    content: bytes
    replaces: bytes | None
    etag: str | None


class Sizes(Struct, frozen=True):
    """By name: the workers of each pool, and the instances of each program."""

    pools: Mapping[str, int]
    programs: Mapping[str, int]
    finishes_within_s: float
    """As in CommandLineHandover."""
    ends_within_s: Mapping[str, float]
    """By program: after this long one that was asked to stop is killed."""


RefusedEntries = Callable[[StoredSettings], Mapping[tuple[str, int], str]]
"""Returns why the job of a schedule or an alert would not be accepted, by table and index."""


class ConfigurationEditor(Protocol):
    """Reads, checks and replaces the configuration file. Calls block for 10 to 300 ms."""

    def show(self) -> Configuration:
        """Return the file, and the settings in force."""

    def sizes(self) -> Sizes:
        """Return the pools and programs with their numbers."""

    def plan(
        self, edit: Edit, seen: Collection[str] | None, refused_entries: RefusedEntries
    ) -> PlannedEdit:
        """Return what `edit` would do; write nothing.

        `seen`: the file must have one of these etags, else FileChanged is raised; None: any.
        Raises NotEditable, and NotFound for a version that is not there.
        """

    def versions(self) -> list[ShownVersion]:
        """Return the versions of the file, the newest first."""

    def prepared(
        self, planned: PlannedEdit, by: str, reason: str | None
    ) -> AbstractContextManager[Callable[[], str]]:
        """Write the new file beside the old one, and yield the function that replaces the old one.

        That function keeps the old file as a backup and returns the new etag. It raises
        FileChanged if the file has changed. The new text is kept as a version of `by`. Both raise
        NotEditable, and OSError for a full disk.
        """


class NotEditable(OrpheusError):
    """There is no file, or it cannot be edited from here; the text says what to do instead."""


class FileChanged(OrpheusError):
    """The file has changed since the editor read it; nothing was written."""
