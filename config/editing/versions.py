"""Keep the earlier versions of the configuration file, so that a change can be taken back.

They are files in a folder of this host's state, and no rows of the database: the file belongs to a
host, while a database on PostgreSQL is that of many; it has secrets in it, which must not go where
a backup of the jobs goes; and one can go back while the database cannot be used. The folder is that
of one database: after `database.url` has changed, the versions are beside the earlier one.

Whoever puts a text in the place of the file keeps it here first, with who and why. A text that an
editor on the machine has saved is kept by the supervisor that takes it in force. A version is
written in one step under a number of its own, whoever else keeps one at that moment. A lock keeps
the supervisor from looking between a version and the replacement of the file: it would keep the
same two texts once more, as if an editor had saved them.
"""

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from orpheus.config.editing.rejections import Rejections
from orpheus.config.editing.replace_file import written_file
from orpheus.config.regular_file import text_of
from orpheus.shared.operations.configuration import BY_HAND, ConfigurationVersion
from orpheus.shared.process.files import make_folder

_LOCK = ".lock"
_LONGEST_WAIT_S = 5.0
"""How long to wait for an edit: a wrong number does less harm than a supervisor that waits."""
_LOOK_EVERY_S = 0.01
_MOST = 50
_MOST_BYTES = 8 * 2**20
_ENDING = ".json"
_LEFT_BEHIND_S = 60
"""A file that is older and has no number yet is of a process that was killed."""


class Versions:
    """The versions of one configuration file in a folder: the newest of them are kept.

    Several files may have their versions in it: those that one database was used with. Without a
    file there are none.
    """

    def __init__(self, folder: Path, file: Path | None) -> None:
        self._folder = folder
        self._file = "" if file is None else os.path.realpath(file)
        self._rejections = Rejections(folder)

    def all(self) -> list[ConfigurationVersion]:
        """Return the versions that can be read, the newest first."""
        found = (self._read(path) for path in reversed(self._paths()))
        return [version for version in found if version is not None]

    def get(self, number: int) -> ConfigurationVersion | None:
        """Return one version; None if it is not there any more."""
        return self._read(self._path_of(number))

    def newest(self) -> ConfigurationVersion | None:
        """Return the newest version; None if there is none."""
        found = (self._read(path) for path in reversed(self._paths()))
        return next((version for version in found if version is not None), None)

    def keep(
        self, text: str, by: str, reason: str | None, at_ms: int | None = None
    ) -> ConfigurationVersion:
        """Keep a new version, and drop the oldest where there are too many. Raises OSError.

        `at_ms`: since when the file holds it, if that is not since now.
        """
        make_folder(self._folder)
        at_ms = _now_ms() if at_ms is None else at_ms
        values = {"file": self._file, "at_ms": at_ms, "by": by, "reason": reason, "text": text}
        new = self._folder / f".{secrets.token_hex(8)}.new"
        with written_file(new, json.dumps(values).encode()):
            number = self._next_number()
            while not _linked(new, self._path_of(number)):
                number += 1
        self._drop_oldest()
        return ConfigurationVersion(number, at_ms, by, reason, text)

    def keep_found(self, text: str) -> ConfigurationVersion:
        """Keep what was taken from the file, unless it is the newest version. Raises OSError."""
        newest = self.newest()
        if newest is not None and newest.text == text and newest.rejection is None:
            return newest
        with self._locked():
            found = self._keep_found(text)
            self._rejections.forget(found.number)
            return replace(found, rejection=None)

    def note_rejected(self, in_force: int | None, text: str, reason: str) -> None:
        """Note why a text was not taken, if the file still holds it.

        The version in force is not noted, as it was taken. Raises OSError.
        """
        with self._locked():
            number = self._number_of(text)
            if number != in_force and text_of(Path(self._file)) == text:
                self._rejections.note(number, text, reason)

    def rejection(self, text: str) -> str | None:
        """Return why what the file holds was rejected, be it a version yet or not.

        None: it was not. Empty: the reason is not kept.
        """
        return self._rejections.why(self._number_of(text), text)

    def _number_of(self, text: str) -> int:
        """Return the number that a text in the file has, or will have."""
        newest = self.newest()
        if newest is not None and newest.text == text:
            return newest.number
        return self._next_number()

    def _next_number(self) -> int:
        return max((int(path.stem) for path in self._paths()), default=0) + 1

    @contextlib.contextmanager
    def replacing(self, old: str | None, new: str, by: str, reason: str | None) -> Iterator[None]:
        """Keep the new text, and before it the one that it replaces; the file is replaced inside.

        Without an old text the file is gone. If the block raises, the new one is forgotten. During
        it `keep_found` waits: it would take the old text for one that has come back after the new
        one. Raises OSError.
        """
        with self._locked():
            if old is not None:
                self._keep_found(old)
            version = self.keep(new, by, reason)
            try:
                yield
            except BaseException:
                self.forget(version.number)
                raise

    def _keep_found(self, text: str) -> ConfigurationVersion:
        """Keep a text unless it is the newest, or was read before the newest came into the file."""
        kept = self.all()
        candidates = kept[:1] if self._file_holds(text) else kept
        known = next((version for version in candidates if version.text == text), None)
        return known or self.keep(text, BY_HAND, None, self._saved_at_ms(text, kept))

    def _file_holds(self, text: str) -> bool:
        try:
            return Path(self._file).read_bytes() == text.encode()
        except OSError:
            return True  # nothing says that it is not the newest

    def _saved_at_ms(self, text: str, kept: list[ConfigurationVersion]) -> int:
        """Return when an editor has saved the text: it may be found much later. Now, if unknown."""
        now_ms = _now_ms()
        if text_of(Path(self._file)) != text:
            return now_ms
        with contextlib.suppress(OSError):
            saved_ms = Path(self._file).stat().st_mtime_ns // 1_000_000
            return min(max(saved_ms, kept[0].at_ms if kept else saved_ms), now_ms)
        return now_ms

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold off others that keep or replace; after a while go on without. Raises OSError."""
        make_folder(self._folder)
        fd = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            give_up_s = time.monotonic() + _LONGEST_WAIT_S
            while not _has_lock(fd) and time.monotonic() < give_up_s:
                time.sleep(_LOOK_EVERY_S)
            yield
        finally:
            os.close(fd)

    def forget(self, number: int) -> None:
        """Drop a version that did not come in the place of the file after all."""
        self._path_of(number).unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """Return the versions of all files, the oldest first."""
        try:
            paths = [
                p for p in self._folder.iterdir() if p.suffix == _ENDING and p.stem.isdecimal()
            ]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []
        return sorted(paths, key=lambda path: int(path.stem))

    def _path_of(self, number: int) -> Path:
        return self._folder / f"{number:08}{_ENDING}"

    def _read(self, path: Path) -> ConfigurationVersion | None:
        try:
            kept = json.loads(path.read_bytes())
            if kept["file"] != self._file:
                return None
            number, text = int(path.stem), kept["text"]
            why = self._rejections.why(number, text)
            return ConfigurationVersion(
                number, kept["at_ms"], kept["by"], kept["reason"], text, why
            )
        except (OSError, ValueError, KeyError, TypeError):  # dropped meanwhile, or not ours
            return None

    def _drop_oldest(self) -> None:
        size = 0
        mine = (path for path in reversed(self._paths()) if self._read(path) is not None)
        for count, path in enumerate(mine, start=1):
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
            if count > 1 and (count > _MOST or size > _MOST_BYTES):
                path.unlink(missing_ok=True)
        for path in self._folder.glob(".*.new"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _LEFT_BEHIND_S:
                    path.unlink()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _has_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _linked(new: Path, path: Path) -> bool:
    """Give a file its number; False if another has it."""
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    return True
