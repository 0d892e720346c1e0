"""What the coroutines of jobs await, as text: the frames of each, the newest first.

While they await, the stack of their thread shows only the event loop. Another thread reads them
while they go on, so a step may find nothing more. It calls no code of a job: a `__repr__` might
block, or raise.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import FrameType
from typing import Any

from orpheus.shared.text import printable
from orpheus.worker.attempt.context import RunningAttempt

_MOST_COROUTINES = 100
_MOST_TASKS = 10
_MOST_FRAMES = 50
_LONGEST_CHAIN = 1_000
_LONGEST_NAME = 80

_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_RUNNING = ("cr_running", "gi_running", "ag_running")
_OF_A_FUTURE = ("_asyncio_future_blocking",)


def awaits_of(attempts: Iterable[RunningAttempt]) -> str:
    """Return the coroutines of jobs and of the tasks that they started, the oldest job first."""
    oldest_first = sorted(attempts, key=lambda attempt: attempt.started_at_s)
    parts = (part for attempt in oldest_first for part in _parts(attempt))
    shown = list(islice(parts, _MOST_COROUTINES))
    if next(parts, None) is not None:
        shown.append("(more coroutines are not shown)")
    return "\n\n".join(shown)


def _parts(attempt: RunningAttempt) -> Iterator[str]:
    handler, lease = attempt.handler, attempt.lease
    whose = f"Coroutine of job {lease.job_id} ({lease.type})"
    if handler is not None:
        yield _part(whose, _chain(handler))
    named = [(one.get_name(), one) for one in (attempt.tasks() if attempt.tasks else ())]
    named.sort(key=lambda one: (len(one[0]), one[0]))
    chains = ((name, _chain(task.get_coro())) for name, task in named)  # lazy: few are used
    others = (one for one in chains if not any(part is handler for part in one[1]))
    shown = 0
    for name, chain in islice(others, _MOST_TASKS):
        shown += 1
        yield _part(f"{whose}, its task {_short(name)}", chain)
    more = len(named) - shown - (handler is not None)
    if more > 0:
        yield f"{whose} has {more} more tasks"


def _part(whose: str, chain: Sequence[object]) -> str:
    frames = [frame for one in chain if isinstance(frame := _look(one, _FRAMES), FrameType)]
    lines = [_line(frame) for frame in reversed(frames[-_MOST_FRAMES:])]
    if len(frames) > _MOST_FRAMES:
        lines.append("  ...")
    # The frames of one that runs are those of its thread.
    does = "runs now" if _look(chain[0], _RUNNING) else f"awaits {_named(chain[-1])}"
    return "\n".join([f"{whose}, which {does} (most recent call first):", *lines])


def _line(frame: FrameType) -> str:
    code = frame.f_code
    return f'  File "{printable(code.co_filename)}", line {frame.f_lineno} in {code.co_name}'


def _named(awaited: Any) -> str:
    if _has(awaited, _AWAITED):
        return "its turn"
    if _has(awaited, _OF_A_FUTURE) and hasattr(type(awaited), "get_coro"):
        coroutine = getattr(awaited.get_coro(), "__qualname__", "something")
        return f"{_short(awaited.get_name())} of {_short(coroutine)}"
    return f"a {_short(type(awaited).__name__)}"


def _chain(first: object) -> list[object]:
    """Return `first`, what it awaits, what that awaits, and so on."""
    chain = [first]
    while len(chain) < _LONGEST_CHAIN and (awaited := _awaited_by(chain[-1])) is not None:
        chain.append(awaited)
    return chain


def _awaited_by(one: object) -> object:
    if _has(one, _AWAITED):
        return _look(one, _AWAITED)
    if _has(one, _OF_A_FUTURE):
        return None
    # The iterator of a future, the step of an async generator and the like do not tell what they
    # wait for, but refer to it.
    inner = (x for x in gc.get_referents(one) if _has(x, (*_AWAITED, *_OF_A_FUTURE)))
    return next(inner, None)


def _has(one: object, names: Iterable[str]) -> bool:
    """Return whether its class has one of the names: an object itself could pretend to any."""
    return any(hasattr(type(one), name) for name in names)


def _look(one: object, names: Iterable[str]) -> object:
    return next((getattr(one, name) for name in names if hasattr(type(one), name)), None)


def _short(name: str) -> str:
    return printable(name)[:_LONGEST_NAME]
