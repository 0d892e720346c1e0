"""What the coroutines of jobs await, as text: the frames of each, the newest first.

While they await, the stack of their thread shows only the event loop. Another thread reads them
while they go on, so a step may find nothing more.
"""

from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from orpheus.shared.text import printable
from orpheus.worker.attempt.context import RunningAttempt

_MOST_TASKS = 10
_MOST_FRAMES = 50
_LONGEST_CHAIN = 1_000
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")
_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_RUNNING = ("cr_running", "gi_running", "ag_running")


def awaits_of(attempts: Iterable[RunningAttempt]) -> str:
    """Return the coroutines of jobs and of the tasks that they started, the oldest job first."""
    oldest_first = sorted(attempts, key=lambda attempt: attempt.started_at_s)
    return "\n\n".join(part for attempt in oldest_first for part in _parts(attempt))


def _parts(attempt: RunningAttempt) -> Iterator[str]:
    handler, lease = attempt.handler, attempt.lease
    whose = f"Coroutine of job {lease.job_id} ({lease.type})"
    if handler is not None:
        yield _part(whose, _chain(handler))
    tasks = list(attempt.tasks()) if attempt.tasks else []
    for task in tasks[:_MOST_TASKS]:
        chain = _chain(task.get_coro())
        if all(awaited is not handler for awaited in chain):
            yield _part(f"{whose}, its task {printable(task.get_name())}", chain)


def _part(whose: str, chain: list[Any]) -> str:
    frames = [frame for link in chain if isinstance(frame := _look(link, _FRAMES), FrameType)]
    # The frames of one that runs are those of its thread.
    does = "runs now" if _look(chain[0], _RUNNING) else "waits"
    lines = [
        f'  File "{printable(frame.f_code.co_filename)}", line {frame.f_lineno} '
        f"in {frame.f_code.co_name}"
        for frame in reversed(frames[-_MOST_FRAMES:])
    ]
    return "\n".join([f"{whose}, which {does} (most recent call first):", *lines])


def _chain(awaiting: Any) -> list[Any]:
    """Return a coroutine, what it awaits, what that awaits, and so on."""
    chain = [awaiting]
    while len(chain) < _LONGEST_CHAIN and (awaited := _look(chain[-1], _AWAITED)) is not None:
        chain.append(awaited)
    return chain


def _look(link: Any, names: Iterable[str]) -> Any:
    # Of its class, as an object itself could run code of the job.
    return next((getattr(link, name) for name in names if hasattr(type(link), name)), None)
