"""Show, check and replace the configuration file over HTTP.

Settings that name code (job modules, commands, the database, the token's file) are compared first
and never changed here: a caller of the API may run the existing jobs, but must not be able to run
any program. Nothing that such a change would lead to is checked either, so that a caller cannot
find out whether a file exists.

A text is compared with the file that it replaces, not with the settings in force: a file that was
broken by hand can be fixed here, as long as it is TOML.
"""

import hashlib
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

from orpheus.config.changes import changed_keys, effects
from orpheus.config.checks import missing_programs
from orpheus.config.editing.replace_file import replace_file
from orpheus.config.editing.shown import shown_settings
from orpheus.config.editing.toml import CannotEdit, masked, unmasked, with_value
from orpheus.config.load import DEFAULT_PATH, checked
from orpheus.config.problems import KeyPath, Problem, dotted
from orpheus.config.settings import Settings
from orpheus.config.sources import Sources, read_sources, sources_with
from orpheus.shared.operations.configuration import (
    LONGEST_TEXT,
    Edit,
    EditOutcome,
    FileChanged,
    NotEditable,
    PlannedEdit,
    SettingProblem,
    ShownConfiguration,
)

BACKUP_SUFFIX = ".bak"
_MOST_PROBLEMS = 100
_NOT_CHANGEABLE: tuple[KeyPath, ...] = (
    ("jobs", "modules"), ("commands",), ("database", "url"), ("api", "token_file"),
)  # fmt: skip
_DEFAULTS = Settings().model_dump(mode="json")


class ConfigurationFile:
    """A `ConfigurationEditor` (shared/operations/configuration.py) for a file and its `--set`.

    `path` is None if Orpheus was started without a file. May be used from several threads.
    """

    def __init__(self, path: Path | None, sets: Sequence[str], environ: Mapping[str, str]) -> None:
        self._path = path
        self._sets = tuple(sets)
        self._environ = dict(environ)
        self._writing = Lock()

    def show(self) -> ShownConfiguration:
        """Return the file, and the settings that it leads to."""
        sources = self._sources()
        settings, problems = checked(sources)
        text, etag, count, obstacle = self._shown_text()
        return ShownConfiguration(
            path=None if self._path is None else str(self._path),
            text=text,
            etag=etag,
            masked=count,
            obstacle=obstacle,
            settings=tuple(shown_settings(settings, sources)) if settings and not problems else (),
            problems=_told(problems, sources),
            warnings=_told(missing_programs(settings) if settings else (), sources),
        )

    def _sources(self) -> Sources:
        # Without a path, use no file at all: Orpheus was started without one.
        return read_sources(self._path, DEFAULT_PATH / "none", self._sets, self._environ)

    def _shown_text(self) -> tuple[str | None, str | None, int, str | None]:
        """Return the text, its etag, the number of masked secrets, and why it cannot be edited."""
        try:
            text, etag = self._read()
            shown, count = masked(text)
        except NotEditable as error:
            return None, None, 0, str(error)
        except CannotEdit as error:
            reason = f"{self._path}: {error}, so it is not shown; fix it where it is"
            return None, None, 0, reason
        return shown, etag, count, self._obstacle()

    def _read(self) -> tuple[str, str]:
        """Return the text and its etag. Raises NotEditable."""
        if self._path is None:
            raise NotEditable(
                f"Orpheus was started without a configuration file; write {DEFAULT_PATH}, or "
                "another one and name it by --config, and start it again"
            )
        try:
            status = self._path.stat()
            text = self._path.read_bytes().decode()
        except OSError as error:
            raise NotEditable(f"{self._path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise NotEditable(f"{self._path} is not UTF-8 (byte {error.start})") from None
        if len(text) > LONGEST_TEXT:
            raise NotEditable(f"{self._path} is longer than {LONGEST_TEXT} characters")
        # Not a digest of the text: with it, a reader of the masks could test guesses of a secret.
        state = f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
        return text, hashlib.sha256(state.encode()).hexdigest()[:32]

    def _obstacle(self) -> str | None:
        assert self._path is not None
        target = self._path.resolve()
        if os.access(target.parent, os.W_OK) and os.access(target, os.W_OK):
            return None
        return f"{self._path} cannot be written from here (its folder must be, too); edit it there"

    def plan(self, edit: Edit, seen: Collection[str] | None) -> PlannedEdit:
        """Return what `edit` would lead to; write nothing. Raises FileChanged, NotEditable."""
        text, etag = self._read()
        if seen is not None and etag not in seen:
            raise FileChanged(_CHANGED.format(path=self._path))
        if (obstacle := self._obstacle()) is not None:
            raise NotEditable(obstacle)
        try:
            before = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError):
            reason = f"{self._path} is not TOML now, so nothing can be compared; fix it there"
            raise NotEditable(reason) from None
        new, problems = _edited(text, edit)
        if problems or new is None:
            return PlannedEdit(EditOutcome(tuple(problems)), b"", etag)
        return PlannedEdit(self._outcome(text, before, new), new.encode(), etag)

    def _outcome(self, text: str, before: dict[str, Any], new: str) -> EditOutcome:
        assert self._path is not None
        sources = sources_with(new, self._path, self._sets, self._environ)
        if refused := _refused(before, new):
            reason = "cannot be changed here, as it names code; change the file itself"
            found = [Problem(key, reason) for key in refused]
            return EditOutcome(_told(found, sources), refused=tuple(map(dotted, refused)))
        settings, problems = checked(sources)
        if problems or settings is None:
            return EditOutcome(_told(problems, sources))
        old = sources_with(text, self._path, self._sets, self._environ)
        old_settings, old_problems = checked(old)
        warnings = _told(missing_programs(settings), sources)
        shown = masked(new)[0]
        if old_settings is None or old_problems:
            return EditOutcome((), warnings, text=shown, watched=settings.supervisor.watch_config)
        slots = effects(old_settings, settings)
        return EditOutcome(
            problems=(),
            warnings=warnings,
            text=shown,
            changed=tuple(changed_keys(old_settings, settings)),
            restarts=slots.restarts,
            starts=slots.starts,
            stops=slots.stops,
            watched=old_settings.supervisor.watch_config,
        )

    def apply(self, planned: PlannedEdit) -> str:
        """Replace the file, keep the old one beside it as a backup, and return the new etag.

        Raises FileChanged, NotEditable, and OSError for a full disk.
        """
        assert self._path is not None
        with self._writing:
            if self._read()[1] != planned.etag:
                raise FileChanged(_CHANGED.format(path=self._path))
            target = self._path.resolve()
            try:
                replace_file(target, planned.content, target.with_name(target.name + BACKUP_SUFFIX))
            except PermissionError as error:
                raise NotEditable(f"{self._path} cannot be replaced: {error.strerror}") from None
            return self._read()[1]


_CHANGED = "{path} has changed since it was read; read it again, and put your change on top of it"


def _edited(text: str, edit: Edit) -> tuple[str | None, list[SettingProblem]]:
    """Return the text after the edit, with its secrets; or why there is none."""
    if edit.text is not None:
        try:
            return unmasked(edit.text, text), []
        except CannotEdit as error:
            if (syntax := _syntax_problem(edit.text)) is not None:
                return None, [syntax]
            return None, [SettingProblem("commands", str(error), None, None)]
    problems = []
    for key, value in edit.values.items():
        try:
            text = with_value(text, key, value)
        except CannotEdit as error:
            problems.append(SettingProblem(key, str(error), None, None))
    return text, problems


def _syntax_problem(text: str) -> SettingProblem | None:
    """Return why the text is not TOML; it may hold masks, which are read as text."""
    sources = sources_with(text, DEFAULT_PATH, (), {})
    return _told(sources.problems, sources)[0] if sources.problems else None


def _refused(before: Mapping[str, Any], new: str) -> list[KeyPath]:
    """Return the keys that name code and differ; none if the new text is not TOML."""
    try:
        after = tomllib.loads(new)
    except (tomllib.TOMLDecodeError, RecursionError):
        return []
    return [key for key in _NOT_CHANGEABLE if _at(before, key) != _at(after, key)]


def _at(tables: Mapping[str, Any], key: KeyPath) -> Any:
    """Return the value at `key`, or its default."""
    value: Any = tables
    default: Any = _DEFAULTS
    for step in key:
        default = default[step]
        if not isinstance(value, Mapping):
            return value
        value = value.get(str(step), default)
    return value


def _told(problems: Iterable[Problem], sources: Sources) -> tuple[SettingProblem, ...]:
    return tuple(_told_one(problem, sources) for problem in islice(problems, _MOST_PROBLEMS))


def _told_one(problem: Problem, sources: Sources) -> SettingProblem:
    place = sources.place(problem)
    line = None
    if place is not None and sources.file is not None and place.startswith(f"{sources.file}:"):
        line = int(place.removeprefix(f"{sources.file}:").partition(":")[0])
    return SettingProblem(dotted(problem.key), problem.reason, place, line)
