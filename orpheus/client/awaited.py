"""The client with `await`: the methods of orpheus/client/blocking.py, for an event loop."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

from orpheus.client import calls
from orpheus.client.calls import Calls
from orpheus.client.following import Followed, Following
from orpheus.client.requests import (
    id_of,
    most_of,
    reason_of,
    requests_of,
    schedule_body,
    signal_to_send,
    wanted_of,
)
from orpheus.client.steps import Compute, Pause, Step, Steps, run_awaited
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Status
from orpheus.shared.job_types.request import JobRequest, Options, request_of
from orpheus.shared.messages.jobs import Event, Job, JobGraph, JobState, LogLine
from orpheus.shared.messages.steps import JobStep, Signal

if TYPE_CHECKING:  # they import the store, which a client over HTTP does not need
    from orpheus.shared.messages.queues import Queue, Why
    from orpheus.shared.messages.schedules import Schedule

R = TypeVar("R")
T = TypeVar("T")


class AsyncClient:
    """Submits jobs and looks at them, on the database itself, over HTTP or in a transaction.

    It never blocks the event loop. It may be used by many tasks at once and after a fork, and kept
    for as long as the program runs, but by one event loop at a time. A job is given as what a
    method returned, or as its id. Each method may raise Unavailable (StorageError, if it is the
    database), and Unauthorized over HTTP.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        connection: Any = None,
        config: str | os.PathLike[str] | None = None,
        token: str | None = None,
        timeout: float | str = 10,
        retry_for: float | str = 30,
    ) -> None:
        """Use the database of the configuration, or the API at `url`, or `connection`.

        `connection`: an AsyncConnection of psycopg 3, or an AsyncConnection or AsyncSession of
        SQLAlchemy on it, to the PostgreSQL database that Orpheus uses. A job is stored in the
        transaction that is open there, and exists if and only if the application commits; `wait`,
        `events` and what changes a job are refused (RuntimeError). `close` leaves it open.

        `config`: the file; None: the default file of commands. The database is
        opened by the first method that is called, and never created. `timeout` and `retry_for` are
        for HTTP: how long an answer may take, and for how long a request is repeated that is safe
        to repeat. Raises ConfigurationError, ValueError for an invalid URL, and TypeError for a
        connection that cannot be used.
        """
        self._calls, self._way = calls.opened(
            url, connection, config, token, timeout, retry_for, is_async=True
        )
        self._is_closed = False
        self.schedules = Schedules(self._calls, self._run)
        """`schedules()` returns every schedule, by name."""

    @overload
    async def submit(self, job: JobRequest[R], **options: Unpack[Options]) -> Job[R]: ...

    @overload
    async def submit(
        self, job: str, payload: Mapping[str, Any] | None = None, **options: Unpack[Options]
    ) -> Job[Any]: ...

    async def submit(
        self,
        job: Any,
        payload: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Job:
        """Submit a job: what `.new()` returned, or the name of its type and its payload.

        It is stored when this returns. If a live job has the same unique key, that job is returned.
        Options are those of `with_options`. Raises InvalidJob for an unknown type or a payload that
        its schema refuses, TooLarge, and TypeError or ValueError for an option that is not valid.
        """
        return await self._run(self._calls.submit(request_of(job, payload, options)))

    async def submit_many(self, jobs: Iterable[JobRequest]) -> list[int]:
        """Submit up to 10,000 jobs in one commit, all or none; return their ids in order.

        A job with a `ref` may be named by others in their `depends_on`. Raises as `submit` does.
        """
        requests = requests_of(jobs)
        return await self._run(self._calls.submit_many(requests)) if requests else []

    @overload
    async def get(self, job: Job[R]) -> Job[R]: ...

    @overload
    async def get(self, job: JobState | int) -> Job[Any]: ...

    async def get(self, job: JobState | int) -> Job:
        """Return the job with its attempts. Raises NotFound, which is a LookupError."""
        return await self._run(self._calls.get(id_of(job)))

    @overload
    async def wait(
        self,
        job: Job[R],
        timeout: float | str | timedelta | None = None,  # noqa: ASYNC109
    ) -> Job[R]: ...

    @overload
    async def wait(
        self,
        job: JobState | int,
        timeout: float | str | timedelta | None = None,  # noqa: ASYNC109
    ) -> Job[Any]: ...

    async def wait(
        self,
        job: JobState | int,
        timeout: float | str | timedelta | None = None,  # noqa: ASYNC109 - as Client has it
    ) -> Job:
        """Return the job, with its attempts, once it is done, failed or cancelled.

        Raises WaitTimedOut, which is a TimeoutError, after `timeout` (seconds, or "30s"), and
        NotFound.
        """
        return await self._run(calls.wait_for_end(self._calls, id_of(job), timeout))

    def jobs(
        self,
        *,
        status: Status | str | None = None,
        type: str | None = None,
        queue: str | None = None,
        tag: str | None = None,
        unique_key: str | None = None,
        q: str | None = None,
        error: str | None = None,
        where: str | None = None,
        payload: str | None = None,
        since: datetime | timedelta | str | None = None,
        until: datetime | timedelta | str | None = None,
        limit: int | None = None,
    ) -> "Listed":
        """Iterate over the jobs that match, newest first, page by page; at most `limit` of them.

        `async for job in client.jobs()`, or `await client.jobs()` for a list.
        `q` is text in type, payload, error or tags; `error` the name of an exception, and `where`
        where it was raised; `payload` has payload fields: "customer=4711 order.lines.0=7".
        With `since` (included) or `until`, only jobs that have ended then, the
        last one first: a time, or how long ago it was, at most 365 days: "15m" or a
        timedelta.
        Raises ValueError for an unknown status, text that is no name, or a limit below 0.
        """
        now_ms = self._now_ms()
        wanted = wanted_of(
            now_ms, status, type, queue, tag, unique_key, q, error, where, payload, since, until
        )
        return Listed(self._pages(wanted, most_of(limit)))

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def _pages(self, wanted: JobFilter, left: int) -> AsyncIterator[Job]:
        cursor = None
        while left > 0:
            size = min(left, calls.JOBS_OF_A_PAGE)
            page, cursor = await self._run(self._calls.page(wanted, size, cursor))
            for job in page:
                yield job
            if cursor is None:
                return
            left -= len(page)

    async def cancel(self, job: JobState | int, *, reason: str | None = None) -> Job:
        """Cancel a waiting job; ask the worker of a running job to stop it.

        In the second case the job has `cancel_requested`. `reason` is kept in the audit log. Raises
        NotFound, and TransitionRefused if the job has ended.
        """
        return await self._run(self._calls.cancel(id_of(job), reason_of(reason)))

    async def retry(
        self, job: JobState | int, *, from_step: str | None = None, reason: str | None = None
    ) -> Job:
        """Run a failed or cancelled job again, with all its retries.

        A durable function goes on behind what it has kept. `from_step`: it forgets that step and
        those kept after it. Raises NotFound, also if there is no such step, and TransitionRefused
        for other jobs.
        """
        return await self._run(self._calls.retry(id_of(job), from_step, reason_of(reason)))

    async def run_now(self, job: JobState | int, *, reason: str | None = None) -> Job:
        """Make a pending job due now, whatever time it waits for.

        Raises NotFound, and TransitionRefused for other jobs.
        """
        return await self._run(self._calls.run_now(id_of(job), reason_of(reason)))

    async def delete(self, job: JobState | int, *, reason: str | None = None) -> None:
        """Delete a job that has ended, with its attempts and log.

        Raises NotFound, and TransitionRefused for other jobs and for one whose result may be read.
        """
        await self._run(self._calls.delete(id_of(job), reason_of(reason)))

    async def signal(
        self, name: str, key: str | int, payload: Any = None, *, replace: bool = False
    ) -> Signal:
        """Send a signal, and wake the durable functions that wait for it.

        The first payload of a name and a key stays: if the signal was sent before, it is returned
        as it was, with `is_new` False. `replace`: functions that have not received it get this
        payload instead. Raises InvalidJob for a name, a key or a payload that is not valid, and
        TooLarge.
        """
        return await self._run(
            self._calls.signal(signal_to_send(name, key, payload, replace=replace))
        )

    async def steps(self, job: JobState | int) -> list[JobStep]:
        """Return what a durable function has kept, oldest first. Raises NotFound.

        A step whose result is too long to be shown has `is_cut`.
        """
        return await self._run(self._calls.steps(id_of(job)))

    async def why(self, job: JobState | int) -> "Why":
        """Return why a job does not run: each reason, what holds it back, and until when.

        Raises NotFound.
        """
        return await self._run(self._calls.why(id_of(job)))

    async def graph(self, job: JobState | int) -> JobGraph:
        """Return the jobs that it waits for and those that wait for it, the nearest 200.

        Raises NotFound.
        """
        return await self._run(self._calls.graph(id_of(job)))

    async def queues(self) -> "list[Queue]":
        """Return every queue that has had a job, is paused or has a limit, by name."""
        return await self._run(self._calls.queues())

    async def logs(self, job: JobState | int, *, after: int = 0) -> list[LogLine]:
        """Return the lines of the job's log with ids above `after`, oldest first.

        Raises NotFound.
        """
        return await self._run(calls.every_line(self._calls, id_of(job), after))

    async def events(self, job: JobState | int, *, after: int = 0) -> list[Event]:
        """Return what happened to the job after seq `after`, oldest first. Raises NotFound."""
        return await self._run(calls.every_event(self._calls, id_of(job), after))

    def follow(
        self,
        job: JobState | int,
        timeout: float | str | timedelta | None = None,
        *,
        logs: bool = True,
    ) -> AsyncIterator[Followed]:
        """Iterate over the job's events, progress and log lines, until it has ended.

        The events and lines that there are already come first; each comes once. Of the progress,
        only the newest comes, as `orpheus.client.Progress`. What is new comes at most half a second
        late. `logs=False`: no log lines. Raises WaitTimedOut if the job has not ended after
        `timeout`, and NotFound.
        """
        return self._followed(Following(self._calls, id_of(job), timeout, logs=logs))

    async def _followed(self, following: Following) -> AsyncIterator[Followed]:
        while not following.ended:
            for new in await self._run(following.new()):
                yield new

    async def close(self) -> None:
        """Close the database or the connections. The client cannot be used afterwards."""
        self._is_closed = True
        await self._way.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, steps: Steps[T]) -> T:
        if self._is_closed:
            raise RuntimeError("this client is closed")
        return await run_awaited(steps, self._perform)

    async def _perform(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Compute):
            return await asyncio.to_thread(step.work)
        return await self._way.perform(step)


class Listed:
    """Jobs that are read when they are wanted: `async for` reads a page at a time, `await` all."""

    def __init__(self, jobs: AsyncIterator[Job]) -> None:
        self._jobs = jobs

    def __aiter__(self) -> AsyncIterator[Job]:
        return self._jobs

    def __await__(self) -> Generator[Any, None, list[Job]]:
        return self._all().__await__()

    async def _all(self) -> list[Job]:
        return [job async for job in self._jobs]


class Schedules:
    """The schedules of a client: call it for the list; put and delete those of programs."""

    def __init__(self, calls: Calls, run: Callable[[Steps[Any]], Awaitable[Any]]) -> None:
        self._calls = calls
        self._run = run

    async def __call__(self) -> "list[Schedule]":
        """Return every schedule, by name, with its next times and its last jobs."""
        found: list[Schedule] = await self._run(self._calls.schedules())
        return found

    async def put(
        self,
        name: str,
        *,
        job: JobRequest | str,
        payload: Mapping[str, Any] | None = None,
        cron: str | None = None,
        every: str | float | timedelta | None = None,
        timezone: str | None = None,
        catch_up: Literal["one", "none", "all"] | None = None,
        overlap: Literal["allow", "skip"] | None = None,
        jitter: str | float | timedelta | None = None,
        reason: str | None = None,
    ) -> "Schedule":
        """Add a schedule, or change one that a program has put; return it.

        `job`: what it submits, from `.new()`, or the name of its type, with `payload`; of its
        options, `queue` and `priority` are kept. Give `cron`, in `timezone` (UTC), or `every`.
        `catch_up`: which of the runs missed while Orpheus was stopped are made up for: `one`,
        `none` or `all`. `overlap="skip"`: no job while the last one has not ended. `jitter`: each
        job waits for a random time up to this. Put again, it changes nothing, so a program can do
        it at each start. Raises InvalidJob, which names each field that is not valid, and
        TransitionRefused if the configuration file has a schedule of this name.
        """
        timing = {
            "cron": cron,
            "every": every,
            "timezone": timezone,
            "catch_up": catch_up,
            "overlap": overlap,
            "jitter": jitter,
        }
        body = schedule_body(name, request_of(job, payload, {}), timing, reason_of(reason))
        put: Schedule = await self._run(self._calls.put_schedule(name, body))
        return put

    async def delete(self, name: str, *, reason: str | None = None) -> None:
        """Delete a schedule that a program has put; its jobs stay.

        Raises NotFound, and TransitionRefused for a schedule of the configuration file.
        """
        await self._run(self._calls.delete_schedule(name, reason_of(reason)))
