"""The connections that a forked child inherits: they are its parent's, and it leaves them alone.

SQLite's locks belong to the parent, but the child's copy of SQLite takes them for its own, and the
index of the write-ahead log is memory that both share. So a statement in the child, a rollback too,
or a close could damage what the parent is just writing. In the child each inherited connection
refuses every statement, nobody closes it, and it is never collected. As SQLite keeps one record of
a file for all connections of a process, the child cannot open the file by itself, either.
"""

import os
import weakref
from pathlib import Path
from typing import NoReturn

import apsw

from orpheus.shared.errors import DatabaseUnusable

connections: list[apsw.Connection] = []
"""Empty in a process that no other with an open database has forked."""
_paths: "weakref.WeakKeyDictionary[apsw.Connection, Path]" = weakref.WeakKeyDictionary()
"""Where each connection of this process is; one in use in a fork does not tell its child."""


def note_path(connection: apsw.Connection, path: Path) -> None:
    """Note which file a new connection has open."""
    _paths[connection] = path


def refuse_inherited(path: Path) -> None:
    """Raise DatabaseUnusable if the parent of this process had the file open when it forked."""
    for connection in connections:
        if _is_same_file(_paths[connection], path):
            _refuse(path)


def _is_same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False


def _refuse(path: Path) -> NoReturn:
    raise DatabaseUnusable(
        f"this process was forked from one that has {path} open, and the locks of SQLite do not "
        "survive that: start it anew (multiprocessing: `spawn`), or use a client over HTTP"
    )


def _inherit() -> None:
    inherited = [each for each in apsw.connections() if each in _paths and each not in connections]
    connections.extend(inherited)
    for connection in inherited:
        connection.exec_trace = lambda *_, path=_paths[connection]: _refuse(path)
    if inherited:
        import ctypes  # noqa: PLC0415 - 1 MB, for few processes

        for connection in inherited:  # so that its count of references never comes to 0
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


os.register_at_fork(after_in_child=_inherit)
