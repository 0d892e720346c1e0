"""Translates psycopg's exceptions into the errors of shared/errors.py."""

import psycopg

from orpheus.shared.errors import (
    Contended,
    DatabaseAway,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnusable,
    ReadTookTooLong,
    StorageError,
)

_CONTENDED = {
    "40001": "another transaction changed the same rows",
    "40P01": "another transaction waited for the same rows",
    "55P03": "another transaction has held the rows for too long",
}
_BUSY = {
    "25P03": "the transaction did nothing for too long",
    "53300": "the server has too many connections",
}
_AWAY = "57P03"
_NO_ROOM = "53100"
_STOPPED = "57014"
_NOT_UNIQUE = "23505"
_LOST = ("08", "57P01", "57P02", "57P05")
_UNUSABLE = ("25006", "28", "3D", "3F", "42501", "42P01", "53", "58", "XX")
"""How SQLSTATEs begin: no such database, role, schema or right; a standby; a server in trouble."""
_LATER = (
    "starting up",
    "shutting down",
    "recovery mode",
    "accepting connections",
    "too many",
    "connection slots",
    "no more connections",  # this and what follows says PgBouncer
    "cannot connect to server",
    "server login",
    "query_wait_timeout",
    "server_login_retry",
    "pooler is shut down",
)
"""What a server or a pooler says that may soon take a connection."""


def translated(error: psycopg.Error) -> StorageError | None:
    """Return what the error means to the user; None for a bug of ours, which is not translated."""
    state = error.sqlstate
    if is_lost(error):
        return DatabaseAway(
            f"the connection to the database was lost ({first_line(error)}); nothing was written, "
            "try again"
        )
    if state is None:
        return None
    if state in _CONTENDED:
        return Contended(f"{_CONTENDED[state]}; nothing was written, try again")
    if state in _BUSY:
        return DatabaseBusy(f"{_BUSY[state]}; nothing was written, try again")
    if state == _AWAY:
        return DatabaseAway("the server is starting or stopping; nothing was written, try again")
    if state == _NO_ROOM:
        return DatabaseFull("no space is left on the device that holds the database")
    if state == _STOPPED:
        return ReadTookTooLong("reading it took too long and was stopped; ask for less, or later")
    if state.startswith(_UNUSABLE):
        return DatabaseUnusable(f"the database cannot be used: {first_line(error)}")
    return None


def translated_in_application(error: psycopg.Error) -> StorageError | None:
    """Return the same for a part of an application's transaction, which only it can run again."""
    state = error.sqlstate
    if is_lost(error):
        why = f"your connection was lost ({first_line(error)}), and the transaction with it"
    elif state == _NOT_UNIQUE:  # in READ COMMITTED we would have seen it
        why = "another transaction has made a job with this unique key since yours began"
    elif state in _CONTENDED or state in _BUSY:
        why = (_CONTENDED | _BUSY)[state]
    elif state == _STOPPED:
        why = f"the server has stopped a statement: {first_line(error)}"
    else:
        return translated(error)
    return DatabaseBusy(f"{why}; roll your transaction back and run it again")


def cannot_connect(error: psycopg.Error, message: str) -> StorageError:
    """Return what it means that no connection could be made; `message` tells the user.

    An answer of the server is final, unless it says that it cannot take connections yet, or any
    more. It has a SQLSTATE, but libpq gives only the text.
    """
    text = str(error)
    is_answer = "FATAL" in text
    if is_answer and not any(words in text for words in _LATER):
        return DatabaseUnusable(message)
    return DatabaseAway(message)


def is_lost(error: psycopg.Error) -> bool:
    """Return whether there is no connection any more. Those errors of libpq have no SQLSTATE."""
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError)
    return state.startswith(_LOST)


def first_line(error: psycopg.Error) -> str:
    """Return the first line of what the server says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
