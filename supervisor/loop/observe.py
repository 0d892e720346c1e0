"""Children, the kernel's samples and heartbeat rows -> Seen.

`Seen` accumulates over a life: each turn folds the messages that have arrived since the last one
onto what was seen before. A message that makes no sense is dropped: a child's bug must not stop
its supervisor.
"""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orpheus.supervisor.linux.sampling import Sample
from orpheus.supervisor.linux.write_lock import Holder
from orpheus.supervisor.loop.child import ChildHandle
from orpheus.supervisor.policy.slot import Exit, JobSeen, Seen


@dataclass(frozen=True, slots=True)
class Outside:
    """What is known of a process from elsewhere than itself; None: not looked at yet."""

    sample: Sample | None = None
    row_beat: int | None = None
    holder: Holder | None = None
    """Who holds the database's write lock, whoever that is."""


def observe(
    child: ChildHandle, before: Seen, outside: Outside, killed_for_memory: Callable[[], bool | None]
) -> Seen:
    """What is seen of `child` now, given what was seen of it `before`. A dead one is reaped."""
    seen = before
    exit = child.peek_exit()  # first: its last words are in the channel by then
    if not child.channel.closed:
        for message in child.channel.receive():
            seen = fold(seen, message)
    if exit is not None:
        child.reap()
        exit = _with_cause(exit, killed_for_memory)
    return fold_outside(replace(seen, exit=exit), child.pid, outside)


def _with_cause(exit: Exit, killed_for_memory: Callable[[], bool | None]) -> Exit:
    if exit.signal != signal.SIGKILL:
        return exit
    return replace(exit, out_of_memory=killed_for_memory())


def fold_outside(seen: Seen, pid: int, outside: Outside) -> Seen:
    """`seen` of the process `pid` with what was found out about it from outside."""
    sample, holder = outside.sample, outside.holder
    if outside.row_beat is not None:
        seen = replace(seen, row_beat=outside.row_beat)
    if sample is not None:
        seen = replace(
            seen,
            os_status=sample.os_status,
            cpu_percent=sample.cpu_percent,
            rss_bytes=sample.rss_bytes,
        )
    if holder is not None and holder.pid == pid:
        return replace(seen, lock_held_s=holder.held_s, os_status=holder.os_status)
    return replace(seen, lock_held_s=0.0)


def fold(seen: Seen, message: Mapping[str, Any]) -> Seen:
    """`seen` after one message of the child (shared/process/channel.py)."""
    try:
        match message.get("say"):
            case "ready":
                return replace(seen, ready=True)
            case "beat":
                return _fold_beat(seen, message)
            case "recycle":
                done = int(message.get("jobs_done", seen.jobs_done))
                return replace(seen, recycle=str(message["reason"]), jobs_done=done)
            case "failed":
                return replace(seen, failed=str(message["reason"]))
    except (KeyError, TypeError, ValueError):
        pass
    return seen


def _fold_beat(seen: Seen, message: Mapping[str, Any]) -> Seen:
    job = message["job"]
    return replace(
        seen,
        beat=int(message["beat"]),
        loop=int(message["loop"]),
        jobs_done=int(message["jobs_done"]),
        database_ok=bool(message["database_ok"]),
        job=job
        and JobSeen(
            id=int(job["id"]),
            type=str(job["type"]),
            overdue=float(job["hard_deadline_in_s"]) <= 0,
        ),
    )
