"""The Context of an `async def` job: it asks the database in a thread, one call at a time."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from orpheus.shared.job_types.request import JobRequest
from orpheus.worker.attempt.context import JobQueries, RunningAttempt
from orpheus.worker.attempt.job_context import DurableContext

if TYPE_CHECKING:
    from orpheus.worker.attempt.durable import Cursor, DurableFunction

_T = TypeVar("_T")
_Call = ParamSpec("_Call")


class AsyncJobContext(DurableContext):
    """The Context of an `async def` job."""

    __slots__ = ("_lock",)

    def __init__(self, attempt: RunningAttempt, queries: JobQueries) -> None:
        super().__init__(attempt, queries, asyncio.current_task)
        self._lock = asyncio.Lock()

    async def _call(
        self, function: Callable[_Call, _T], *args: _Call.args, **kwargs: _Call.kwargs
    ) -> _T:
        async with self._lock:
            return await asyncio.to_thread(function, *args, **kwargs)

    # The names are given when a method is called, so their order is that of the calls.

    def step(
        self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        """See AsyncContext."""
        durable = self.durable("ctx.step")
        return self._step(durable, durable.name(name), lambda: function(*args, **kwargs))

    async def _step(
        self, durable: "DurableFunction", name: str, function: Callable[[], Any]
    ) -> Any:
        kept = await self._call(durable.kept_step, name)
        if kept is not None:
            return kept.value
        began_s = time.monotonic()
        with durable.running(name):
            value = function()
            if inspect.isawaitable(value):
                value = await value
        return await self._call(durable.keep_step, name, value, began_s)

    def sleep(self, name: str, duration: str | float | timedelta, /) -> Coroutine[Any, Any, None]:
        """See AsyncContext."""
        durable = self.durable("ctx.sleep")
        return self._call(durable.sleep, durable.wait_name(name), duration)

    def wait_signal(
        self, name: str, /, key: str | int, *, timeout: str | float | timedelta | None = None
    ) -> Coroutine[Any, Any, Any]:
        """See AsyncContext."""
        durable = self.durable("ctx.wait_signal")
        return self._call(durable.wait_signal, durable.wait_name(name), name, key, timeout)

    def gather(
        self, name: str, jobs: Iterable[JobRequest], /, *, return_errors: bool = False
    ) -> Coroutine[Any, Any, list[Any]]:
        """See AsyncContext."""
        durable = self.durable("ctx.gather")
        return self._gather(durable, durable.wait_name(name), list(jobs), return_errors)

    async def _gather(
        self, durable: "DurableFunction", name: str, jobs: list[JobRequest], return_errors: bool
    ) -> list[Any]:
        results = await self._call(durable.gather, name, jobs, self._traceparent())
        return durable.results(results, return_errors=return_errors)

    def resume(
        self,
        name: str,
        items: Iterable[_T] | AsyncIterable[_T] | Callable[[Any], Iterable[_T] | AsyncIterable[_T]],
        /,
    ) -> AsyncIterator[_T]:
        """See AsyncContext."""
        durable = self.durable("ctx.resume")
        return _AsyncItems(self._call, durable, durable.wait_name(name), items)


class _AsyncItems(AsyncIterator[Any]):
    """The items of a cursor that are not done.

    Not a generator: one that is left by `break` is closed later, and its cursor with it.
    """

    def __init__(
        self, call: Callable[..., Any], durable: "DurableFunction", name: str, items: Any
    ) -> None:
        self._call = call
        self._durable = durable
        self._name = name
        self._items = items
        self._cursor: Cursor | None = None
        self._source: AsyncIterator[Any] | None = None

    async def __anext__(self) -> Any:
        if self._cursor is None:
            self._cursor = await self._call(self._durable.cursor, self._name)
        cursor = self._cursor
        if cursor.has_ended:
            raise StopAsyncIteration
        if self._source is None:
            self._source = _asynchronous(cursor.source(self._items))
            for n in range(cursor.passed_over(self._items)):
                cursor.check_passed(n, await anext(self._source, cursor.MISSING))
        if cursor.is_open:
            await self._call(cursor.end)
        try:
            item = await anext(self._source)
        except StopAsyncIteration:
            await self._call(cursor.finish)
            raise
        cursor.begin(item)
        return item


async def _asynchronous(items: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
