"""The calls that a client makes, and what performs them: the database, a server or a connection."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from orpheus.client.steps import Steps
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import WaitTimedOut
from orpheus.shared.messages.jobs import Event, Job, LogLine

if TYPE_CHECKING:
    from orpheus.client.database import DatabaseCalls
    from orpheus.client.http import HttpCalls

JOBS_OF_A_PAGE = 500
LINES_OF_A_PAGE = 1_000
EVENTS_OF_A_PAGE = 500

Calls: TypeAlias = "DatabaseCalls | HttpCalls"
"""What a client can do, as steps. Ids are valid, and so is every other argument."""


def every_line(calls: Calls, job_id: int, after: int) -> Steps[list[LogLine]]:
    """Return every line of the job's log with a greater id."""
    lines: list[LogLine] = []
    while True:
        page = yield from calls.lines(job_id, lines[-1].id if lines else after, LINES_OF_A_PAGE)
        lines += page
        if len(page) < LINES_OF_A_PAGE:
            return lines


def every_event(calls: Calls, job_id: int, after: int) -> Steps[list[Event]]:
    """Return every event of the job with a greater seq."""
    events: list[Event] = []
    while True:
        page = yield from calls.happened(
            job_id, events[-1].seq if events else after, EVENTS_OF_A_PAGE
        )
        events += page
        if len(page) < EVENTS_OF_A_PAGE:
            return events


def wait_for_end(calls: Calls, job_id: int, timeout: float | str | timedelta | None) -> Steps[Job]:
    """Return the job once it has ended. Raises WaitTimedOut if it has not after `timeout`."""
    timeout_s = float("inf") if timeout is None else parse_duration_s(timeout)
    job = yield from calls.wait(job_id, timeout_s)
    if not job.ended:
        raise WaitTimedOut(f"job {job_id} is {job.status} after {timeout_s:g} s")
    return job


def opened(
    url: str | None,
    connection: Any,
    config: str | os.PathLike[str] | None,
    token: str | None,
    timeout: float | str,
    retry_for: float | str,
    *,
    is_async: bool,
) -> tuple[Calls, Any]:
    """Return the calls of a client with these arguments, and what performs their steps.

    That has `perform`, for a Use or a Send as its calls have them, and `close`; both are awaited if
    the client `is_async`. Nothing is connected yet, and only what is used is imported. Raises
    ConfigurationError, ValueError for arguments that exclude each other or an invalid URL of a
    server, and TypeError for a connection that cannot be used.
    """
    if connection is not None:
        from orpheus.client import application  # noqa: PLC0415 - with the storage
        from orpheus.client.in_transaction import CallsInTransaction  # noqa: PLC0415 - with pydantic
        from orpheus.client.settings import kept_settings  # noqa: PLC0415

        if url is not None or token is not None:
            raise ValueError(
                "connection: a client speaks to a server or uses a connection, not both"
            )
        in_it = application.AwaitedApplicationStore if is_async else application.ApplicationStore
        settings = kept_settings(config)
        return CallsInTransaction(settings), in_it(connection, settings.storage.hide)
    if url is not None:
        from orpheus.client import transport  # noqa: PLC0415 - with httpx2
        from orpheus.client.http import HttpCalls  # noqa: PLC0415 - not for the database

        if config is not None:
            raise ValueError("config: a client speaks to a server or uses the database, not both")
        server = transport.Server(url, token, parse_duration_s(timeout))
        over_http = transport.AwaitedTransport if is_async else transport.BlockingTransport
        return HttpCalls(parse_duration_s(retry_for)), over_http(server)
    from orpheus.client.connection import AwaitedStore, SharedStore  # noqa: PLC0415 - with SQLite
    from orpheus.client.database import DatabaseCalls  # noqa: PLC0415 - with pydantic and SQLite
    from orpheus.client.settings import database_settings  # noqa: PLC0415

    if token is not None:
        raise ValueError("token: only a server wants one: Client('http://host:8000', token=…)")
    settings = database_settings(config)
    return DatabaseCalls(settings), (AwaitedStore if is_async else SharedStore)(settings.storage)
