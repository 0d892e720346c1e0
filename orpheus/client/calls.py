"""The calls that a client makes, and what performs them: the database, a server or a connection."""

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from orpheus.client.steps import Steps
from orpheus.client.values import Event, Job, LogLine
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import WaitTimedOut
from orpheus.shared.records import dataclass

if TYPE_CHECKING:
    from orpheus.client.database import DatabaseCalls
    from orpheus.client.http import HttpCalls
    from orpheus.client.transport import Server
    from orpheus.shared.domain.handover import StorageSettings

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


@dataclass(frozen=True, slots=True)
class Opened:
    """The calls of a client, and the database or server for them; neither: a connection."""

    calls: Calls
    database: "StorageSettings | None" = None
    server: "Server | None" = None


def opened(
    url: str | None,
    connection: Any,
    config: str | os.PathLike[str] | None,
    token: str | None,
    timeout: float | str,
    retry_for: float | str,
) -> Opened:
    """Return the calls of a client with these arguments; nothing is connected yet.

    Raises ConfigurationError, and ValueError for arguments that exclude each other or an invalid
    URL of a server.
    """
    if connection is not None:
        return _in_transaction(url, config, token)
    if url is not None:
        return _on_server(url, config, token, timeout, retry_for)
    return _on_database(config, token)


def _on_database(config: str | os.PathLike[str] | None, token: str | None) -> Opened:
    from orpheus.client.database import DatabaseCalls  # noqa: PLC0415 - with pydantic and SQLite
    from orpheus.client.settings import database_settings  # noqa: PLC0415

    if token is not None:
        raise ValueError("token: only a server wants one: Client('http://host:8000', token=…)")
    settings = database_settings(config)
    return Opened(DatabaseCalls(settings), database=settings.storage)


def _in_transaction(
    url: str | None, config: str | os.PathLike[str] | None, token: str | None
) -> Opened:
    from orpheus.client.in_transaction import CallsInTransaction  # noqa: PLC0415 - with pydantic
    from orpheus.client.settings import kept_settings  # noqa: PLC0415

    if url is not None or token is not None:
        raise ValueError("connection: a client speaks to a server or uses a connection, not both")
    return Opened(CallsInTransaction(kept_settings(config)))


def _on_server(
    url: str,
    config: str | os.PathLike[str] | None,
    token: str | None,
    timeout: float | str,
    retry_for: float | str,
) -> Opened:
    from orpheus.client.http import HttpCalls  # noqa: PLC0415 - not for the database
    from orpheus.client.transport import Server  # noqa: PLC0415 - with httpx2

    if config is not None:
        raise ValueError("config: a client speaks to a server or uses the database, not both")
    server = Server(url, token, parse_duration_s(timeout))
    return Opened(HttpCalls(parse_duration_s(retry_for)), server=server)
