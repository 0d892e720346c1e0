"""Which attempt the running code belongs to, in a worker that runs several at once.

A context variable holds it: each thread's and each coroutine's own. Tasks that a coroutine starts
and functions of `asyncio.to_thread` inherit it; a thread that a handler starts itself does not.
"""

from contextvars import ContextVar

from orpheus.worker.attempt.context import RunningAttempt

current_attempt: ContextVar[RunningAttempt | None] = ContextVar("current_attempt", default=None)
