"""The configuration as it is shown and edited over HTTP: the values that both sides exchange.

The API answers with these and never reads settings itself; config/editing/file.py makes them. So
only the main programs know the configuration, even in the calls about it.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import msgspec

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.domain.serving import Serving
from orpheus.shared.errors import OrpheusError
from orpheus.shared.moments import rfc3339

MASK = "••••••••"
"""Replaces a secret that is not shown. In a new text it means: keep the secret."""
LONGEST_TEXT = 131_072
"""Characters of a file that can be edited: checking a much larger one takes long."""


class Setting(msgspec.Struct, frozen=True):
    """A setting in force."""

    key: str
    value: Any
    """Durations are seconds, sizes are bytes."""
    as_written: Any
    """The same as it may stand in the file: `"100ms"`, `"1MiB"`."""
    origin: str
    """`default`, `config/orpheus.toml:12`, a variable, `--set`."""
    origins: tuple[str, ...]
    """For a list of tables, such as `[[schedules]]`: what set each of them. Else empty."""
    note: str | None = None
    """Why it has no effect, if an operator's action counts more."""


class SettingProblem(msgspec.Struct, frozen=True):
    """One thing to mend in the configuration."""

    key: str
    """Empty if the problem is in the whole text."""
    detail: str
    place: str | None
    """The file and line, the variable, or `--set`."""
    line: int | None
    """Its line in the file's text."""


BY_HAND = "file"
"""Who made a version that was found in the file."""


class ConfigurationVersion(msgspec.Struct, frozen=True):
    """A text that the file has held since `at_ms`, by whom and why.

    `by` is as in the audit log, or `file`: an editor on the machine has saved it.
    """

    number: int
    at_ms: int
    by: str
    reason: str | None
    text: str
    rejection: str | None = None
    """Why the supervisor did not take it, empty where that is not kept; None: it did."""


class ShownVersion(msgspec.Struct, frozen=True):
    """A version as it may be shown."""

    version: ConfigurationVersion
    is_in_file: bool
    """The file holds it now."""
    is_in_force: bool
    """The supervisor works by it."""
    is_toml: Callable[[str], bool]
    mask: Callable[[str], str | None]
    """Masks the secrets of a text. Blocks for up to 2 s for a long one."""

    @property
    def text(self) -> str | None:
        """Its text with the secrets masked, made at each call; None: they cannot be told apart."""
        return self.mask(self.version.text)

    @property
    def fault(self) -> str | None:
        """Why it was not taken, as far as that is known."""
        if self.text is None and not self.is_toml(self.version.text):
            return "not TOML"
        was_rejected = self.version.rejection is not None
        return "rejected" if was_rejected and not self.is_in_force else None


def version_json(shown: ShownVersion) -> dict[str, Any]:
    """Return a version, its secrets masked. Blocks as `ShownVersion.mask` does."""
    version = shown.version
    return {
        "version": version.number,
        "at": rfc3339(version.at_ms),
        "by": version.by,
        "reason": version.reason,
        "text": shown.text,
        "in_file": shown.is_in_file,
        "in_force": shown.is_in_force,
        "fault": shown.fault,
        "rejection": (version.rejection or None) if shown.fault else None,
    }


class ConfigurationInForce(msgspec.Struct, frozen=True):
    """The configuration that the programs run on: the file at a version, and the same in words.

    `since_ms` is None without a supervisor.
    """

    file: str | None
    version: int | None
    since_ms: int | None
    text: str


class ShownConfiguration(msgspec.Struct, frozen=True):
    """The file and its settings. `etag` names its state, `obstacle` why it is not editable."""

    path: str | None
    text: str | None
    etag: str | None
    masked: int
    """How many secrets the text does not show."""
    obstacle: str | None
    in_force: ConfigurationInForce
    settings: tuple[Setting, ...]
    """Those in force, also while the file has problems."""
    problems: tuple[SettingProblem, ...]
    warnings: tuple[SettingProblem, ...]
    """Problems that do not stop a reload: commands whose program is missing."""


class Edit(msgspec.Struct, frozen=True):
    """A new text, the text of a version, or values for single settings (None: the default)."""

    text: str | None = None
    values: Mapping[str, Any] = msgspec.field(default_factory=dict)
    version: int | None = None


class EditOutcome(msgspec.Struct, frozen=True):
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
    notes: tuple[str, ...] = ()
    """Sentences: where the page and the API will be, or that they cannot change this back."""
    not_compared: tuple[str, ...] = ()
    """Tables whose secrets may change too: they are not compared, so that none can be guessed."""
    watched: bool = True
    """Whether a running supervisor watches the file."""
    serving: tuple[Serving, Serving] | None = None
    """What is served before and after it."""
    again: str | None = None
    """The setting for which the file was rejected, if it stays as it is."""


class PlannedEdit(msgspec.Struct, frozen=True):
    """A checked edit: `content` may replace the file while it holds `replaces` (None: is gone).

    `etag` names the state of the file when it was read.
    """

    outcome: EditOutcome
    content: bytes
    replaces: bytes | None
    etag: str


class Sizes(NamedTuple):
    """By name: the workers of each pool, and the instances of each program.

    They are those in force if a supervisor runs, else those of the file, as far as it can be read.
    """

    pools: Mapping[str, int]
    programs: Mapping[str, int]
    finishes_within_s: float | None
    """As in CommandLineHandover; None: that cannot be read."""
    ends_within_s: Mapping[str, float]
    """By program: after this long one that was asked to stop is killed."""


RefusedEntries = Callable[[StoredSettings], Mapping[tuple[str, int], str]]
"""Returns why the job of a schedule or an alert would not be accepted, by table and index."""


class ConfigurationEditor(Protocol):
    """Reads, checks and replaces the configuration file. Calls block for 10 to 300 ms."""

    def show(self) -> ShownConfiguration:
        """Return the file, and the settings that it leads to."""

    def sizes(self) -> Sizes:
        """Return the pools and programs with their numbers."""

    def plan(
        self, edit: Edit, seen: Collection[str] | None, refused_entries: RefusedEntries
    ) -> PlannedEdit:
        """Return what `edit` would do; write nothing.

        `seen`: etags of which the file must have one, else FileChanged is raised; None: any.
        Raises NotEditable, and NotFound for a version that is not there.
        """

    def versions(self) -> list[ShownVersion]:
        """Return the versions of the file, the newest first."""

    def prepared(
        self, planned: PlannedEdit, by: str, reason: str | None
    ) -> AbstractContextManager[Callable[[], str]]:
        """Write the new file beside the old one, and yield the function that replaces the old one.

        That function keeps the old file as a backup and returns the new etag. It raises
        FileChanged, and then the file is as its last editor left it. If it succeeds, the new text
        is kept as a version of `by`. Both raise NotEditable, and OSError for a full disk.
        """


class NotEditable(OrpheusError):
    """There is no file, or it cannot be edited from here; the text says what to do instead."""


class FileChanged(OrpheusError):
    """The file has changed since the editor read it; nothing was written."""
