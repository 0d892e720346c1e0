"""The Context of a plain function, and what it shares with that of `async def`: docs/durable.md."""

import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import timedelta
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from orpheus.shared.job_types.context import PermanentError
from orpheus.shared.job_types.request import JobRequest
from orpheus.worker.attempt.context import AttemptContext, JobQueries, RunningAttempt

if TYPE_CHECKING:
    from orpheus.worker.attempt.durable import DurableFunction

_T = TypeVar("_T")


class DurableContext(AttemptContext):
    """What both kinds of Contexts have."""

    __slots__ = ("_caller", "_durable", "_thread")

    def __init__(
        self,
        attempt: RunningAttempt,
        queries: JobQueries,
        caller: Callable[[], object] = get_ident,
    ) -> None:
        super().__init__(attempt, queries)
        self._caller = caller
        self._durable: DurableFunction | None = None
        self._thread = get_ident()

    def idempotency_key(self, name: str) -> str:
        """See Context."""
        return self.durable("ctx.idempotency_key").idempotency_key(name)

    def signal(self, name: str, key: str | int, payload: object = None) -> None:
        """See Context."""
        self._refuse_in_child("ctx.signal")
        from orpheus.worker.attempt.durable import new_signal  # noqa: PLC0415 - for few jobs

        signals = self._attempt.signals = self._attempt.signals or []
        signals.append(new_signal(name, key, payload))

    def durable(self, what: str) -> "DurableFunction":
        """Return what this function keeps, read at the first use: most jobs keep nothing."""
        self._refuse_in_child(what)
        if self._durable is None:
            from orpheus.worker.attempt.durable import DurableFunction  # noqa: PLC0415 - for few jobs

            self._durable = DurableFunction(
                self._attempt, self._queries, self._thread, self._caller
            )
        return self._durable


class JobContext(DurableContext):
    """The Context of a plain function."""

    __slots__ = ()

    def step(self, name: str, function: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T:
        """See Context."""
        durable = self.durable("ctx.step")
        full = durable.name(name)
        kept = durable.kept_step(full)
        if kept is not None:
            return kept.value  # type: ignore[no-any-return]
        began_s = time.monotonic()
        with durable.running(full):
            value: Any = function(*args, **kwargs)
        if isinstance(value, Coroutine):
            value.close()
            raise PermanentError(
                f"step {full!r}: its function is `async def`; so must the job be, to await it"
            )
        return durable.keep_step(full, value, began_s)  # type: ignore[no-any-return]

    def sleep(self, name: str, duration: str | float | timedelta, /) -> None:
        """See Context."""
        durable = self.durable("ctx.sleep")
        durable.sleep(durable.wait_name(name), duration)

    def wait_signal(
        self, name: str, /, key: str | int, *, timeout: str | float | timedelta | None = None
    ) -> Any:
        """See Context."""
        durable = self.durable("ctx.wait_signal")
        return durable.wait_signal(durable.wait_name(name), name, key, timeout)

    def gather(
        self, name: str, jobs: Iterable[JobRequest], /, *, return_errors: bool = False
    ) -> list[Any]:
        """See Context."""
        durable = self.durable("ctx.gather")
        results = durable.gather(durable.wait_name(name), list(jobs), self._traceparent())
        return durable.results(results, return_errors=return_errors)

    def resume(
        self, name: str, items: Iterable[_T] | Callable[[Any], Iterable[_T]], /
    ) -> Iterator[_T]:
        """See Context."""
        durable = self.durable("ctx.resume")
        cursor = durable.cursor(durable.wait_name(name))
        return durable.iterate(cursor, items)
