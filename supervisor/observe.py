"""Children, the kernel's samples and heartbeat rows -> Seen.

`Seen` accumulates over a life: each turn folds the messages that have arrived since the last one
onto what was seen before. A message that makes no sense is dropped: a child's bug must not stop
its supervisor.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supervisor.child import ChildHandle
from supervisor.slot import JobSeen, OsStatus, Seen


def observe(
    child: ChildHandle, before: Seen, os_status: OsStatus | None, row_beat: int | None
) -> Seen:
    """What is seen of `child` now, given what was seen of it `before`. A dead one is reaped."""
    seen = before
    exit = child.peek_exit()  # first: its last words are in the channel by then
    if not child.channel.closed:
        for message in child.channel.receive():
            seen = fold(seen, message)
    if exit is not None:
        child.reap()
    return replace(
        seen,
        exit=exit,
        os_status=os_status or seen.os_status,
        row_beat=seen.row_beat if row_beat is None else row_beat,
    )


def fold(seen: Seen, message: Mapping[str, Any]) -> Seen:
    """`seen` after one message of the child (shared/channel.py)."""
    try:
        match message.get("say"):
            case "ready":
                return replace(seen, ready=True)
            case "beat":
                return _fold_beat(seen, message)
            case "recycle":
                return replace(seen, recycle=str(message["reason"]))
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
        database_ok=bool(message["database_ok"]),
        job=job
        and JobSeen(
            id=int(job["id"]),
            type=str(job["type"]),
            overdue=float(job["hard_deadline_in_s"]) <= 0,
        ),
    )
