"""Keep the earlier versions of the configuration file, so that a change can be taken back.

They are files in a folder of this host's state, and not rows of the database: the file belongs to a
host, while a database on PostgreSQL is that of many; it has secrets in it, which must not go where
a backup of the jobs goes; and one can go back while the database cannot be used. The folder is that
of one database: after `database.url` has changed, the versions are beside the earlier one.

Whoever puts a text in the place of the file keeps it here first, with who and why. A text that an
editor on the machine has saved is kept by the supervisor that takes it in force.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from orpheus.config.editing.replace_file import new_file
from orpheus.shared.operations.configuration import BY_HAND, ConfigurationVersion
from orpheus.shared.process.files import make_folder

_LOCK = ".lock"
_MOST = 50
_MOST_BYTES = 8 * 2**20


class _Kept(Struct):
    """The content of a file of a version; its number is the file's name."""

    file: str
    at_ms: int
    by: str
    reason: str | None
    text: str


class Versions:
    """The newest versions of one configuration file in a folder.

    Several files may have their versions in it: those that one database was used with. Without a
    file there are none.
    """

    def __init__(self, folder: Path, file: Path | None) -> None:
        self._folder = folder
        name = b"" if file is None else os.fsencode(os.path.realpath(file))
        self._file = name.decode("utf-8", "backslashreplace")

    def all(self) -> list[ConfigurationVersion]:
        """Return the versions that can be read, the newest first."""
        found = (self._read(path) for path in reversed(self._paths()))
        return [version for version in found if version is not None]

    def get(self, number: int) -> ConfigurationVersion | None:
        """Return one version; None if it is not there any more."""
        return self._read(self._path_of(number))

    def _keep(self, text: str, by: str, reason: str | None) -> ConfigurationVersion:
        """Keep a new version, and drop the oldest where there are too many. Raises OSError."""
        kept = _Kept(self._file, time.time_ns() // 1_000_000, by, reason, text)
        number = max((int(path.stem) for path in self._paths()), default=0) + 1
        with new_file(self._path_of(number), msgspec.json.encode(kept)) as new:
            new.replace(self._path_of(number))
        self._drop_oldest()
        return ConfigurationVersion(number, kept.at_ms, by, reason, text)

    def keep_found(self, text: str) -> ConfigurationVersion:
        """Keep a text that was found in the file, unless it is the newest. Raises OSError."""
        with self._locked():
            return self._keep_found(text)

    @contextlib.contextmanager
    def replacing(self, old: str | None, new: str, by: str, reason: str | None) -> Iterator[None]:
        """Keep the new text, and before it the one that it replaces; the file is replaced inside.

        If the block raises, the new text is forgotten. During it `keep_found` waits: it would take
        the old text for one that has come back after the new one. Raises OSError.
        """
        with self._locked():
            if old is not None:
                self._keep_found(old)
            version = self._keep(new, by, reason)
            try:
                yield
            except BaseException:
                self._path_of(version.number).unlink(missing_ok=True)
                raise

    def _keep_found(self, text: str) -> ConfigurationVersion:
        newest = next(iter(self.all()), None)
        is_known = newest is not None and newest.text == text
        return newest if newest and is_known else self._keep(text, BY_HAND, None)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        make_folder(self._folder)
        fd = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _paths(self) -> list[Path]:
        """Return the versions of all files, the oldest first."""
        try:
            return sorted(path for path in self._folder.glob("*.json") if path.stem.isdecimal())
        except OSError:
            return []

    def _path_of(self, number: int) -> Path:
        return self._folder / f"{number:08}.json"

    def _read(self, path: Path) -> ConfigurationVersion | None:
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):  # dropped meanwhile, or not ours
            return None
        if kept.file != self._file:
            return None
        return ConfigurationVersion(int(path.stem), kept.at_ms, kept.by, kept.reason, kept.text)

    def _drop_oldest(self) -> None:
        size = 0
        mine = (path for path in reversed(self._paths()) if self._read(path) is not None)
        for count, path in enumerate(mine, start=1):
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
                if count > 1 and (count > _MOST or size > _MOST_BYTES):
                    path.unlink()
