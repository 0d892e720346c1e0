"""Notices that a database was restored from a backup, so that numbers would be used twice.

A client resumes after the last event that it has seen. In a restored backup that number belongs to
another event. So the database has a name, its epoch, and upkeep notes beside the file (`-history`)
how far the events have come in it. A start that finds fewer events than were noted, or another
epoch, gives the database a new one. A backup gets its own at once. If the whole folder is put back,
with the note in it, that cannot be noticed.

Ids of jobs jump with the epoch: no job gets the id of one that the backup does not know.
"""

import contextlib
from pathlib import Path

import apsw

from orpheus.shared.storage.sqlite.sql import sql_file

_NOW = """SELECT epoch, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
    FROM history"""


def note_history(database: Path, epoch: str, seq: int) -> None:
    """Note beside the database how far its events have come. It is a hint: errors are ignored."""
    note = _note_of(database)
    part = note.with_name(f"{note.name}.part")
    with contextlib.suppress(OSError):
        part.touch(mode=0o600)
        part.write_text(f"{epoch} {seq}\n")
        part.replace(note)


def check_history(connection: apsw.Connection, database: Path) -> None:
    """Give the database a new epoch if it is not where its note says that it was."""
    try:
        noted_epoch, noted_seq = _note_of(database).read_text().split()
        was_at_seq = int(noted_seq)
    except (OSError, ValueError):
        return
    epoch, value = connection.execute(_NOW).fetchall()[0]
    seq = int(str(value))
    if noted_epoch != epoch or was_at_seq > seq:
        note_history(database, give_new_epoch(connection), seq)


def give_new_epoch(connection: apsw.Connection) -> str:
    """Let the events and ids from here on belong to another history; return its name."""
    connection.execute(sql_file("moves.sql")["new-epoch"])
    return str(connection.execute(_NOW).fetchall()[0][0])


def _note_of(database: Path) -> Path:
    return Path(f"{database}-history")
