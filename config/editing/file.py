"""Show, check and replace the configuration file, and bring back an earlier version of it.

Settings that name code (job modules, `around`, commands, programs, databases, the token's file) are
compared first and never changed over HTTP: a caller may run the existing jobs, but must not
be able to run any program. Nor is it checked what such a change would lead to, so that a caller
cannot find out whether a file exists. If the supervisor has rejected what the file holds, the code
that runs may come back. A change that is yet to be taken cannot be undone so: it was meant.

A secret that is written out counts as changed even if it is the same: otherwise a caller could
guess until a guess is no change. Those of an earlier version are not compared at all, and the
answer says so.
"""

import contextlib
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import starmap
from pathlib import Path

from msgspec.structs import asdict, replace

from orpheus.config.changes import (
    MEANT,
    brought_back,
    changed_keys,
    effects,
    emptied,
    key_of,
    overruled,
    reach,
    shown_changes,
)
from orpheus.config.checks import missing_programs
from orpheus.config.editing.earlier import Earlier
from orpheus.config.editing.edited import edited_text, problems_in, secrets_written_out
from orpheus.config.editing.effective import FileNow, effective
from orpheus.config.editing.replace_file import new_file, put_where_none_is, replace_file
from orpheus.config.editing.toml import CannotEdit, masked
from orpheus.config.handovers import (
    finishes_within_s,
    for_database,
    program_stop_timeout_s,
    serving,
)
from orpheus.config.load import checked
from orpheus.config.naming_code import (
    NAMING_CODE,
    changed_code,
    is_toml,
    secret_tables,
    tables_of,
    why_fixed,
)
from orpheus.config.problems import KeyPath, Problem, dotted
from orpheus.config.regular_file import etag_of, read_regular_file
from orpheus.config.sources import (
    Sources,
    is_there,
    read_sources,
    sources_with,
)
from orpheus.shared.errors import NotFound
from orpheus.shared.operations.configuration import (
    LONGEST_TEXT,
    Edit,
    EditOutcome,
    FileChanged,
    NotEditable,
    PlannedEdit,
    RefusedEntries,
    ShownConfiguration,
    ShownVersion,
    Sizes,
)
from orpheus.shared.process.state_files import StateFiles

BACKUP_SUFFIX = ".bak"


class ConfigurationFile:
    """A `ConfigurationEditor` (shared/operations/configuration.py) for a file and its `--set`.

    `path` is None if Orpheus was started without a file. `state`: where its versions are, and what
    says what the supervisor works by. `may_name_code`: whoever edits could edit the file itself.
    May be used from several threads.
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
        self._fixed = () if may_name_code else NAMING_CODE
        self._earlier = Earlier(path, state)
        self._versions = self._earlier.versions

    def show(self) -> ShownConfiguration:
        """Return the file, and the settings that it leads to."""
        sources = self._sources()
        settings, problems = checked(sources)
        text, etag, count, obstacle = self._shown_text()
        now = FileNow(
            self._path,
            self._sets,
            self._environ,
            self._versions,
            sources,
            settings,
            is_valid=settings is not None and not problems,
            is_gone=self._path is not None and not is_there(self._path),
        )
        found, shown = effective(now, self._earlier.running())
        if text is None and etag is not None and found.version is not None:
            obstacle = f"{obstacle}, or go back to version {found.version}"
            obstacle += ", which is in force" if found.since_ms is not None else ""
        return ShownConfiguration(
            path=None if self._path is None else str(self._path),
            text=text,
            etag=etag,
            masked=count,
            obstacle=obstacle,
            in_force=found,
            settings=shown,
            problems=() if now.is_gone else problems_in(problems, sources),  # the obstacle says it
            warnings=problems_in(missing_programs(settings) if settings else (), sources),
        )

    def text(self) -> str:
        """Return the text of the file with its secrets, for its owner. Raises NotEditable."""
        return self._read()[0]

    def versions(self) -> list[ShownVersion]:
        """Return the versions of the file, the newest first."""
        kept = self._versions.all()
        try:
            text = self._read()[0]
        except NotEditable:
            text = None
        running = self._earlier.running()
        in_file = next((version.number for version in kept if version.text == text), None)
        return [
            ShownVersion(
                version,
                is_in_file=version.number == in_file,
                is_in_force=running is not None and version.number == running.version,
                is_toml=is_toml,
                mask=masked_or_none,
            )
            for version in kept
        ]

    def sizes(self) -> Sizes:
        """Return the pools and programs with their numbers, as they are in force.

        If no supervisor runs, it is what the file says, as far as that can be read.
        """
        running = self._earlier.running()
        settings = checked(self._sources())[0] if running is None else running.slots()
        if settings is None:
            return Sizes({}, {}, None, {})
        return Sizes(
            pools={name: pool.workers for name, pool in settings.pools.items()},
            programs={program.name: program.instances for program in settings.programs},
            finishes_within_s=finishes_within_s(settings),
            ends_within_s={
                program.name: program_stop_timeout_s(program, settings)
                for program in settings.programs
            },
        )

    def _sources(self) -> Sources:
        # Without a path, use no file at all: Orpheus was started without one.
        return read_sources(self._path, self._sets, self._environ)

    def _shown_text(self) -> tuple[str | None, str | None, int, str | None]:
        """Return the text, its etag, the number of masked secrets, and why it cannot be edited."""
        try:
            text, _, etag = self._read()
            shown, count = masked(text)
        except _FileGone as error:
            can_go_back = self._versions.newest() is not None
            return None, _GONE if can_go_back else None, 0, f"{error}; put it there again"
        except NotEditable as error:
            return None, None, 0, str(error)
        except CannotEdit:
            form = "is not TOML now" if tables_of(text) is None else "has an unusual form"
            return None, etag, 0, _NOT_SHOWN.format(path=self._path, form=form)
        return shown, etag, count, self._obstacle()

    def _read(self) -> tuple[str, bytes, str]:
        """Return the text, as text and as bytes, and its etag. Raises NotEditable."""
        if self._path is None:
            raise NotEditable(
                "Orpheus was started without a configuration file: write one with orpheus init, "
                "or name one by --config, and start it again"
            )
        try:
            status = self._path.stat()
            content = read_regular_file(self._path)
            text = content.decode()
        except FileNotFoundError:
            raise _FileGone(f"{self._path} is gone") from None
        except OSError as error:
            raise NotEditable(f"{self._path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise NotEditable(f"{self._path} is not UTF-8 (byte {error.start})") from None
        if len(text) > LONGEST_TEXT:
            raise NotEditable(f"{self._path} is longer than {LONGEST_TEXT} characters")
        return text, content, etag_of(status)

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
        text, content, etag = self._read_for(edit)
        if seen is not None and etag not in seen:
            raise FileChanged(_CHANGED.format(path=self._path))
        if (obstacle := self._obstacle()) is not None:
            raise NotEditable(obstacle)
        not_compared: tuple[str, ...] = ()
        if edit.version is not None:
            text = self._last_toml(text if content is not None else None)
            new, secrets = self._version(edit.version, text), list[KeyPath]()
            not_compared = secret_tables(new) if self._fixed else ()
        elif tables_of(text) is None:
            raise NotEditable(_NOT_TOML.format(path=self._path))
        else:
            edited, problems = edited_text(text, edit)
            if problems or edited is None:
                return PlannedEdit(EditOutcome(tuple(problems)), b"", content, etag)
            new, secrets = edited, secrets_written_out(edit)
        outcome = self._outcome(text, new, secrets, edit.version, refused_entries)
        outcome = replace(outcome, not_compared=not_compared)
        return PlannedEdit(outcome, new.encode(), content, etag)

    def _read_for(self, edit: Edit) -> tuple[str, bytes | None, str]:
        """Return what `_read` does; no content if the file is gone and a version brings it back."""
        try:
            return self._read()
        except _FileGone:
            if edit.version is None:
                raise
            return "", None, _GONE

    def _version(self, number: int, text: str) -> str:
        """Return a text as that version, which can replace `text`. Raises NotFound."""
        version = self._versions.get(number)
        if version is None:
            raise NotFound(f"there is no version {number} of {self._path} (any more)")
        return brought_back(self._earlier.in_place_of(text) or text, version.text)

    def _last_toml(self, text: str | None) -> str:
        """Return the text if it is TOML, else what runs, else the newest version that is TOML.

        So one can go back whatever the file holds. Raises NotEditable if there is none.
        """
        for candidate in (text, *self._earlier.texts()):
            if candidate is not None and tables_of(candidate) is not None:
                return candidate
        if text is None:
            raise _FileGone(f"{self._path} is gone, and none of its versions is TOML")
        raise NotEditable(_NOT_TOML.format(path=self._path))

    def _outcome(
        self,
        text: str,
        new: str,
        secrets: Collection[KeyPath],
        version: int | None,
        refused_entries: RefusedEntries,
    ) -> EditOutcome:
        """Return what the text `new`, of a `version`, leads to; the edit writes out `secrets`."""
        assert self._path is not None
        sources = sources_with(new, self._path, self._sets, self._environ)
        runs = self._earlier.in_place_of(text)
        if refused := changed_code(text, runs, new, secrets, self._fixed):
            found = [Problem(key, why_fixed(key, secrets, version)) for key in refused]
            told = problems_in(found, sources_with(new, self._path, (), {}))
            told = tuple(sorted(told, key=lambda one: one.line or math.inf))
            return EditOutcome(told, refused=tuple(map(dotted, refused)))
        settings, problems = checked(
            sources,
            more=lambda part, _: starmap(Problem, refused_entries(for_database(part)).items()),
        )
        if emptied(text if runs is None else runs, new):
            problems.append(Problem((), f"would be empty; {MEANT}", source=str(self._path)))
        if problems or settings is None:
            return EditOutcome(problems_in(problems, sources))
        old_settings = self._earlier.settings_before(text, self._sets, self._environ)
        again = self._earlier.rejected_again(text, new)
        doubts = [*([] if again is None else [again]), *missing_programs(settings)]
        warnings = problems_in(doubts, sources)
        shown = masked(new)[0]
        if old_settings is None:
            return EditOutcome((), warnings, text=shown, watched=settings.supervisor.watch_config)
        written_out = {key_of(one, settings) for one in secrets}
        changed = (shown_changes if self._fixed else changed_keys)(old_settings, settings)
        return EditOutcome(
            problems=(),
            warnings=warnings,
            text=shown,
            changed=tuple(sorted({*changed, *written_out})),
            **asdict(effects(old_settings, settings)),
            notes=(*reach(old_settings, settings), *self._overruled(text, new, sources, changed)),
            watched=old_settings.supervisor.watch_config,
            serving=(serving(old_settings), serving(settings)),
            again=None if again is None else dotted(again.key),
        )

    def _overruled(
        self, text: str, new: str, sources: Sources, changed: Collection[str]
    ) -> Iterator[str]:
        """Yield, in sentences, the settings that the text changes in vain: others set them."""
        assert self._path is not None
        before, _ = checked(sources_with(text, self._path, (), {}))
        after, _ = checked(sources_with(new, self._path, (), {}))
        if before is not None and after is not None:
            yield from overruled(before, after, sources, changed)

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
        backup = target.with_name(target.name + BACKUP_SUFFIX)
        etag = etag_of(new.stat())  # an editor may save again at once, and this edit was made
        if replaces is None:
            is_done = put_where_none_is(target, new)
        else:
            is_done = self._read()[1] == replaces and replace_file(target, new, replaces, backup)
        if not is_done:
            raise FileChanged(_CHANGED.format(path=self._path))
        return etag


class _FileGone(NotEditable):
    """There is no file any more; a version can bring it back."""


_GONE = "gone"
"""The etag of a file that is not there."""
_NOT_SHOWN = (
    "{path} {form}, so its secrets cannot be told apart from the rest, and it is not shown; "
    "change it on the machine"
)
_NOT_TOML = "{path} is not TOML now, so nothing can be compared; fix it there"
_CHANGED = "{path} has changed since it was read; read it again, and put your change on top of it"


@lru_cache(maxsize=64)
def masked_or_none(text: str) -> str | None:
    """Return the text with its secrets masked; None if they cannot be told apart from the rest.

    The answer is kept: versions are shown again and again, and masking a long one takes 2 s.
    """
    try:
        return masked(text)[0]
    except CannotEdit:
        return None
