"""Where this host keeps the files of one database that no other host needs.

They are the doorbells, and for each incarnation the crash cell, the crash file and the files of
stacks. They mean something only to the processes of one host: FIFOs and shared memory end there. By
default they are beside a SQLite file; `database.state_dir` puts them into a folder of their own.
"""

import hashlib
from pathlib import Path

import msgspec

LOCK_NAME = "supervisor.lock"
"""What the name of the supervisor's lock ends with, in whichever folder it is."""
_DIGEST_LENGTH = 12
_LONGEST_NAME = 64


class StateFiles(msgspec.Struct, frozen=True):
    """The paths of one database's files on this host. All are absolute."""

    database: str
    """The identity of this database; for SQLite the path of its file."""
    prefix: str
    """What the paths of the folders below begin with."""
    lock: Path
    """The supervisor holds a lock on this file, so that there is one of them."""

    @property
    def running_settings(self) -> Path:
        """Where the supervisor keeps the settings that it works by."""
        return settings_beside(self.lock)

    @property
    def folder(self) -> Path:
        """The folder that holds all but the lock."""
        return Path(self.prefix).parent

    @property
    def configurations(self) -> Path:
        """The folder of the versions of the configuration: where the lock is, as it must last."""
        return self.lock.with_name(f"{self.lock.stem}-configurations")

    @property
    def bells(self) -> Path:
        """The folder of the doorbells."""
        return Path(f"{self.prefix}-bells")

    @property
    def cells(self) -> Path:
        """The folder of the crash cells and of the files beside each."""
        return Path(f"{self.prefix}-cells")

    def cell(self, incarnation: str) -> Path:
        """Return the path of an incarnation's crash cell."""
        return self.cells / incarnation

    def crash(self, incarnation: str) -> Path:
        """Return where an incarnation writes its stacks as it dies."""
        return self.cells / f"{incarnation}.crash"

    def stack(self, incarnation: str) -> Path:
        """Return where an incarnation writes its stacks when it is asked for them."""
        return self.cells / f"{incarnation}.stack"

    def program_log(self, slot: str) -> Path:
        """Return the folder of the output of a program's slot."""
        return Path(f"{self.prefix}-programs") / slot

    def digest(self) -> str:
        """Return a short name of the database: letters and digits."""
        return _digest(self.database)


def settings_beside(lock: Path) -> Path:
    """Return where the supervisor that holds `lock` keeps the settings that it works by."""
    return lock.with_suffix(".json")


def prefix_in(folder: Path, database: str, name: str) -> str:
    """Return the prefix of a database's files in a folder that others may use for theirs too.

    `name` is for people: databases of one name have different prefixes.
    """
    return str(folder / f"{name[:_LONGEST_NAME]}-{_digest(database)}")


def _digest(database: str) -> str:
    return hashlib.sha256(database.encode(errors="surrogateescape")).hexdigest()[:_DIGEST_LENGTH]
