"""Show, check and replace the configuration file, and bring back an earlier version of it.

Settings that name code (job modules, `around`, commands, programs, databases, the token's file) are
compared first and never changed over HTTP: a caller may run the existing jobs, but must not
be able to run any program. Nor is it checked what such a change would lead to, so that a caller
cannot find out whether a file exists.

A secret that is written out counts as changed even if it is the same: otherwise a caller could
guess until a guess is no change.
"""

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, starmap
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any

from orpheus.config.changes import MEANT, NAMING_CODE, changed_keys, effects, emptied, value_at
from orpheus.config.editing.replace_file import new_file, replace_file
from orpheus.config.editing.toml import CannotMask, masked, masked_or_none, unmasked
from orpheus.config.editing.versions import Versions
from orpheus.config.effective import Effective, read_effective
from orpheus.config.files import etag_of, is_there, read_regular_file, state_of
from orpheus.config.handovers import for_database, sizes_of
from orpheus.config.load import checked
from orpheus.config.problems import KeyPath, Problem, dotted
from orpheus.config.settings import Settings
from orpheus.config.shown import hidden_paths, secrets_in, shown_settings
from orpheus.config.sources import Sources, read_sources, read_toml, sources_with
from orpheus.shared.errors import NotFound
from orpheus.shared.messages.configuration import (
    Configuration,
    ConfigurationInForce,
    SettingProblem,
)
from orpheus.shared.messages.encoding import optional_time
from orpheus.shared.operations.configuration import (
    LONGEST_TEXT,
    Edit,
    EditOutcome,
    FileChanged,
    NotEditable,
    PlannedEdit,
    RefusedEntries,
    ShownVersion,
    Sizes,
)
from orpheus.shared.process.state_files import StateFiles

BACKUP_SUFFIX = ".bak"
_MOST_PROBLEMS = 100
_ROLL_BACK = "mend it on the machine, or go back by orpheus config rollback"


class ConfigurationFile:
    """A `ConfigurationEditor` (shared/operations/configuration.py) for a file and its `--set`.

    `path` is None if Orpheus was started without a file. `state`: where its versions are, and the
    effective settings. `may_name_code`: whoever edits could edit the file itself. May be used from
    several threads.
    """

    def __init__(
        self,
        path: Path | None,
        sets: Sequence[str],
        environ: Mapping[str, str],
        state: StateFiles,
        *,
        may_name_code: bool = False,
    ) -> None:
        self._path = path
        self._sets = tuple(sets)
        self._environ = dict(environ)
        self._state = state
        self._fixed = () if may_name_code else tuple(NAMING_CODE)
        self._versions = Versions(state.configurations, path)

    def show(self) -> Configuration:
        """Return the file, and the settings in force."""
        sources = self._sources()
        settings, problems = checked(sources)
        effective = read_effective(self._state)
        text, etag, obstacle = None, None, None
        try:
            text, etag = self._read()
            text, obstacle = masked(text), self._obstacle()
        except NotEditable as error:
            obstacle = str(error)
        except CannotMask as error:
            text = None
            obstacle = f"{self._path} is not shown: {error}; {_ROLL_BACK}"
        shown = shown_settings(settings or Settings())
        return Configuration(
            path=None if self._path is None else str(self._path),
            text=text,
            etag=etag,
            obstacle=obstacle,
            in_force=_in_force(effective, etag),
            settings=tuple(shown) if effective is None else effective.settings,
            problems=_told(problems, sources),
        )

    def text(self) -> str:
        """Return the text of the file with its secrets, for its owner. Raises NotEditable."""
        return self._read()[0]

    def versions(self) -> list[ShownVersion]:
        """Return the versions of the file, the newest first."""
        kept, effective = self._versions.all(), read_effective(self._state)
        try:
            text = self._read()[0]
        except NotEditable:
            text = None
        also = hidden_paths(_tables_of(text or "") or {})  # an earlier version may not name them
        in_file = next((version.number for version in kept if version.text == text), None)
        return [
            ShownVersion(
                version,
                masked_or_none(version.text, also),
                is_in_file=version.number == in_file,
                is_in_force=effective is not None and version.number == effective.version,
            )
            for version in kept
        ]

    def sizes(self) -> Sizes:
        """Return the pools and programs with their numbers, as they are in force.

        Without a supervisor they are those of the file.
        """
        effective = read_effective(self._state)
        settings = checked(self._sources())[0] if effective is None else None
        return effective.sizes if effective else sizes_of(settings or Settings())

    def _sources(self) -> Sources:
        if self._path is None:  # Orpheus was started without a file
            return Sources().read_others(self._sets, self._environ)
        return read_sources(self._path, self._sets, self._environ)

    def _read(self) -> tuple[str, str | None]:
        """Return the text and its etag. Raises NotEditable."""
        if self._path is None:
            raise NotEditable(
                "Orpheus was started without a configuration file: write one with orpheus init, "
                "or name one by --config, and start it again"
            )
        try:
            etag = etag_of(state_of(self._path))
            text = read_regular_file(self._path).decode()
        except OSError as error:
            reason = "is gone" if isinstance(error, FileNotFoundError) else error.strerror
            raise NotEditable(f"{self._path} cannot be read: {reason}; {_ROLL_BACK}") from None
        except UnicodeDecodeError as error:
            raise NotEditable(f"{self._path} is not UTF-8 (byte {error.start})") from None
        if len(text) > LONGEST_TEXT:
            raise NotEditable(f"{self._path} is longer than {LONGEST_TEXT} characters")
        return text, etag

    def _obstacle(self) -> str | None:
        assert self._path is not None
        target = self._path.resolve()
        is_writable = os.access(target, os.W_OK) or not is_there(target)
        if is_writable and os.access(target.parent, os.W_OK):
            return None
        return f"{self._path} cannot be written from here (its folder must be, too); edit it there"

    def plan(
        self, edit: Edit, seen: Collection[str] | None, refused_entries: RefusedEntries
    ) -> PlannedEdit:
        """Return what `edit` would lead to; write nothing. Raises FileChanged, NotEditable."""
        try:
            text, etag = self._read()
        except NotEditable:
            if self._fixed or self._path is None or is_there(self._path):
                raise
            text, etag = None, None  # a version brings the file back
        if seen is not None and etag not in seen:
            raise FileChanged(_CHANGED.format(path=self._path))
        if (obstacle := self._obstacle()) is not None:
            raise NotEditable(obstacle)
        if self._fixed and _tables_of(text) is None:
            raise NotEditable(f"{self._path} is not TOML now: {_ROLL_BACK}")
        replaces = None if text is None else text.encode()
        try:
            new = self._new_text(edit, text or "")
        except CannotMask as error:
            told = [SettingProblem("", str(error), None, line) for line in error.lines or (None,)]
            return PlannedEdit(EditOutcome(tuple(told)), b"", replaces, etag)
        outcome = self._outcome(text, new, edit, refused_entries)
        return PlannedEdit(outcome, new.encode(), replaces, etag)

    def _new_text(self, edit: Edit, text: str) -> str:
        """Return the text after the edit, with its secrets. Raises CannotMask, NotFound."""
        if edit.version is None:
            return unmasked(edit.text or "", text)
        version = self._versions.get(edit.version)
        if version is None:
            raise NotFound(f"there is no version {edit.version} of {self._path} (any more)")
        return version.text

    def _outcome(
        self, text: str | None, new: str, edit: Edit, refused_entries: RefusedEntries
    ) -> EditOutcome:
        """Return what the text `new` leads to."""
        assert self._path is not None
        sources = sources_with(new, self._path, self._sets, self._environ)
        written_out = [
            secret.path
            for secret in secrets_in(_tables_of(edit.text or "") or {})
            if not secret.is_masked()
        ]
        if refused := self._refused(text, new, written_out):
            told = _told([Problem(key, _why_fixed(key)) for key in refused], sources)
            return EditOutcome(told, refused=tuple(map(dotted, refused)))
        settings, problems = checked(sources)
        if settings is not None and not problems:
            problems += starmap(Problem, refused_entries(for_database(settings)).items())
        if emptied(text or "", new):
            problems.append(Problem((), f"would be empty; {MEANT}", source=str(self._path)))
        if problems or settings is None:
            return EditOutcome(_told(problems, sources))
        outcome: dict[str, Any] = {
            "text": masked_or_none(new),
            "watched": settings.supervisor.watch_config,
        }
        before, problems = checked(sources_with(text or "", self._path, self._sets, self._environ))
        if before is None or problems:
            return EditOutcome(**outcome)
        does = effects(before, settings)
        changed = {*changed_keys(before, settings), *(str(path[0]) for path in written_out)}
        return EditOutcome(
            **{**outcome, "watched": before.supervisor.watch_config},
            changed=tuple(sorted(changed)),
            restarts=does.restarts,
            starts=does.starts,
            stops=does.stops,
        )

    def _refused(
        self, text: str | None, new: str, written_out: Collection[KeyPath]
    ) -> list[KeyPath]:
        """Return the fixed settings that differ, or that have a secret that is written out."""
        before, after = _tables_of(text), _tables_of(new)
        if after is None:
            return []
        return [
            key
            for key in self._fixed
            if value_at(before, key) != value_at(after, key)
            or any(path[: len(key)] == key for path in written_out)
        ]

    @contextlib.contextmanager
    def prepared(
        self, planned: PlannedEdit, by: str, reason: str | None
    ) -> Iterator[Callable[[], str]]:
        """Write the new file beside the old one, and yield what puts it in its place.

        See `ConfigurationEditor.prepared`.
        """
        assert self._path is not None
        old = None if planned.replaces is None else planned.replaces.decode()
        try:
            target = self._path.resolve()
            with (
                new_file(target, planned.content) as new,
                self._versions.replacing(old, planned.content.decode(), by, reason),
            ):
                yield partial(self._replace, target, new, planned.replaces)
        except PermissionError as error:
            raise NotEditable(f"{self._path} cannot be replaced: {error.strerror}") from None

    def _replace(self, target: Path, new: Path, replaces: bytes | None) -> str:
        etag = etag_of(state_of(new))  # an editor may save again at once, and this edit was made
        backup = target.with_name(target.name + BACKUP_SUFFIX)
        if not replace_file(target, new, replaces, backup):
            raise FileChanged(_CHANGED.format(path=self._path))
        return etag or ""


_CHANGED = "{path} has changed since it was read; read it again, and put your change on top of it"


def _in_force(effective: Effective | None, etag: str | None) -> ConfigurationInForce:
    if effective is None:
        text = "No supervisor is running. The next start will use this file."
        return ConfigurationInForce(None, None, None, text)
    text = "File and running configuration match."
    if effective.config is None:
        text = "There is no file: the defaults, the environment and --set apply."
    elif effective.etag != etag:
        text = "Saved changes are not active yet."
    since = optional_time(effective.since_ms)
    return ConfigurationInForce(effective.config, effective.version, since, text)


def _why_fixed(key: KeyPath) -> str:
    return (
        f"cannot be changed here, as it {NAMING_CODE[key]}: change it in the file on the machine, "
        "or go back by orpheus config rollback (a secret that is written out is a change, too)"
    )


def _told(problems: Iterable[Problem], sources: Sources) -> tuple[SettingProblem, ...]:
    """Return the problems with the places where they are to be mended; not too many."""
    return tuple(_problem_of(problem, sources) for problem in islice(problems, _MOST_PROBLEMS))


def _problem_of(problem: Problem, sources: Sources) -> SettingProblem:
    place, line = sources.where_to_fix(problem), None
    if place is not None and place.startswith(f"{sources.file}:"):
        line = int(place.removeprefix(f"{sources.file}:").partition(":")[0])
    return SettingProblem(sources.named(problem.key), problem.reason, place, line)


def _tables_of(text: str | None) -> dict[str, Any] | None:
    """Return the tables of a text; None if it is not TOML."""
    try:
        return None if text is None else read_toml(text)
    except TOMLDecodeError:
        return None
