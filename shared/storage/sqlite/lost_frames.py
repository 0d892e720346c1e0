"""Notices that the write-ahead log has lost commits while no process had the database open.

SQLite reads the log up to the first frame with a wrong checksum, and forgets the rest without a
word: that is right for a commit that a power loss has cut off. But where processes were only
killed, the index that they leave (-shm) still says how many frames were committed. If SQLite then
reads fewer of the same log, the log was damaged. After a reboot the index may be newer than what
the disk was given, so nothing follows from it.

The first to open the database is told, and the log is left as it is. As SQLite has then written the
index anew, the next one goes on without what is lost.
"""

import sys
from pathlib import Path

import apsw
import msgspec

from orpheus.shared.errors import DatabaseUnusable

_HEADER_BYTES = 48
_IS_INITIALIZED = 12
_FRAMES = slice(16, 20)
_SALTS = slice(32, 40)
_SALTS_OF_LOG = slice(16, 24)


class CommittedFrames(msgspec.Struct, frozen=True):
    """How many frames of the log with these salts (its name, in a way) were committed."""

    salts: bytes
    count: int


def read_committed_frames(database: Path) -> CommittedFrames | None:
    """Return what the index says; None if it was not written as a whole.

    Only while no connection is open: closing the file releases the locks of this process on it.
    """
    index = _start_of(f"{database}-shm", 2 * _HEADER_BYTES)
    header = index[:_HEADER_BYTES]
    if len(index) < 2 * _HEADER_BYTES or index != 2 * header or not header[_IS_INITIALIZED]:
        return None
    return CommittedFrames(header[_SALTS], int.from_bytes(header[_FRAMES], sys.byteorder))


def check_log(
    connection: apsw.Connection, database: Path, committed: CommittedFrames, boot_id: str
) -> None:
    """Raise DatabaseUnusable if the connection reads fewer frames than were committed.

    The log is then left as it is when the connection is closed.
    """
    count, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    if count >= committed.count:
        return
    if _start_of(f"{database}-wal", 24)[_SALTS_OF_LOG] != committed.salts:
        return  # another process has begun the log anew
    if not _used_since_boot(connection, boot_id):
        return
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    raise DatabaseUnusable(
        f"{database}-wal is damaged: of {committed.count} committed frames only {count} can be "
        f"read, so the newest jobs are missing; copy {database} and its -wal if you want to save "
        "them, then put a backup in place, or start again to go on without them"
    )


def _used_since_boot(connection: apsw.Connection, boot_id: str) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM processes WHERE boot_id = ?)"
    try:
        return connection.execute(sql, (boot_id,)).fetchall() == [(1,)]
    except apsw.SQLError:  # a schema without that table
        return False


def _start_of(name: str, size_bytes: int) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(size_bytes)
    except OSError:
        return b""
