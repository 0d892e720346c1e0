"""The connection that an application gives: of psycopg 3, or one of SQLAlchemy or Django on it.

None of them is imported here: an application with such a connection has done that. Each call
asks the Session for its connection again, so that one client can be kept as long as the Session.
SQLAlchemy is told that a transaction has begun, else it would not commit it.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from inspect import iscoroutinefunction
from typing import Any

from orpheus.client.steps import Use
from orpheus.shared.application_connections import (
    is_of_django,
    is_of_sqlalchemy,
    is_session,
    unwrapped,
)
from orpheus.shared.process.one_at_a_time import OneAtATime
from orpheus.shared.storage import Store, open_store_in

_WANTED = (
    "connection: {} is no connection of psycopg 3, and none of Django or SQLAlchemy (Connection or "
    "Session) that uses psycopg 3, to the PostgreSQL database that Orpheus uses. With another "
    "driver or database (SQLite, for example), write the job into an outbox in your transaction: "
    "orpheus.outbox.add(connection, …), see docs/outbox.md"
)


class ApplicationStore:
    """Performs steps in the thread that calls, in the transaction of the connection."""

    def __init__(self, connection: Any, hide: Sequence[str]) -> None:
        """Perform steps on this connection. Raises TypeError if it cannot be used."""
        _refuse_other(connection, is_async=False)
        self._connection = connection
        self._store = _StoreOfConnection(lambda value: value, hide)

    def perform(self, step: Use) -> Any:
        """Do the work of the step, and return its result."""
        return self._store.use(_driver_connection(self._connection), step)

    def close(self) -> None:
        """Do nothing: the connection is the application's."""


class AwaitedApplicationStore:
    """Performs steps in a thread, whose statements the event loop executes."""

    def __init__(self, connection: Any, hide: Sequence[str]) -> None:
        """Perform steps on this connection. Raises TypeError if it cannot be used."""
        _refuse_other(connection, is_async=True)
        self._connection = connection
        self._hide = hide
        self._store: _StoreOfConnection | None = None

    async def perform(self, step: Use) -> Any:
        """Do the work of the step, and return its result.

        A cancel takes effect only when the work has ended: from then on the connection is the
        application's again, and nothing more may happen on it.
        """
        loop = asyncio.get_running_loop()
        connection = await _awaited_driver_connection(self._connection)

        def finish(awaitable: Coroutine[Any, Any, Any]) -> Any:
            return asyncio.run_coroutine_threadsafe(awaitable, loop).result()

        if self._store is None:
            self._store = _StoreOfConnection(finish, self._hide)
        work = loop.run_in_executor(None, self._store.use, connection, step)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            while not work.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([work])
            raise

    async def close(self) -> None:
        """Do nothing: the connection is the application's."""


class _StoreOfConnection:
    """The store on the connection that was used last, one call at a time."""

    def __init__(self, finish: Callable[[Any], Any], hide: Sequence[str]) -> None:
        self._finish = finish
        self._hide = hide
        self._calls = OneAtATime("client")
        self._store: tuple[Any, Store] | None = None

    def use(self, connection: Any, step: Use) -> Any:
        return self._calls.run(lambda: self._use(connection, step))

    def _use(self, connection: Any, step: Use) -> Any:
        if self._store is None or self._store[0] is not connection:
            self._store = connection, open_store_in(connection, self._finish, self._hide)
        store = self._store[1]
        with store.write(durable=True):  # a part of the transaction; reads are in it, too
            return step.work(store)


def _refuse_other(connection: Any, *, is_async: bool) -> None:
    """Raise TypeError if the connection cannot be used, as far as that shows before any call."""
    if is_session(connection):
        _refuse_kind(connection, iscoroutinefunction(connection.connection), is_async)
    elif is_of_sqlalchemy(connection):
        _refuse_kind(connection, hasattr(connection, "sync_connection"), is_async)
    elif is_of_django(connection):
        _refuse_kind(connection, False, is_async)
    elif _is_of_psycopg(connection, "Connection") or _is_of_psycopg(connection, "AsyncConnection"):
        _refuse_kind(connection, _is_of_psycopg(connection, "AsyncConnection"), is_async)
    else:
        raise TypeError(_WANTED.format(_kind_of(connection)))


def _refuse_kind(connection: Any, found_async: bool, is_async: bool) -> None:
    if found_async != is_async:
        found, client = ("", "AsyncClient") if found_async else (" not", "Client")
        raise TypeError(
            f"connection: {_kind_of(connection)} is{found} asynchronous: use {client}(connection=…)"
        )


def _driver_connection(connection: Any) -> Any:
    """Return psycopg's connection, after telling SQLAlchemy that a transaction has begun."""
    connection = unwrapped(connection)
    if is_of_sqlalchemy(connection):
        if not connection.in_transaction():
            connection.begin()
        connection = connection.connection.driver_connection
    if _is_of_psycopg(connection, "AsyncConnection"):  # in a function that `run_sync` has called
        _refuse_kind(connection, found_async=True, is_async=False)
    if not _is_of_psycopg(connection, "Connection"):
        raise TypeError(_WANTED.format(_kind_of(connection)))
    return connection


async def _awaited_driver_connection(connection: Any) -> Any:
    """Do the same for an asynchronous connection."""
    if is_session(connection):
        connection = await unwrapped(connection)
    if is_of_sqlalchemy(connection):
        if not connection.in_transaction():
            await connection.begin()
        connection = (await connection.get_raw_connection()).driver_connection
    if not _is_of_psycopg(connection, "AsyncConnection"):
        raise TypeError(_WANTED.format(_kind_of(connection)))
    return connection


def _is_of_psycopg(connection: Any, name: str) -> bool:
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(connection, getattr(psycopg, name))


def _kind_of(connection: Any) -> str:
    return f"{type(connection).__module__}.{type(connection).__qualname__}"
