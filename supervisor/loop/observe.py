"""Combines a child's messages, the kernel's samples and heartbeat rows into an `Observation`.

An observation accumulates while the process runs: each turn adds the messages that have arrived
since the last one. A message that cannot be read is ignored: a bug of a child must not stop its
supervisor. Nothing here changes a process.
"""

import contextlib
import signal
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from orpheus.shared.process.channel import EVIDENCE_LENGTH
from orpheus.supervisor.linux.cgroup import OutOfMemoryKills
from orpheus.supervisor.linux.process_handle import ProcessHandle
from orpheus.supervisor.linux.process_stat import process_stat
from orpheus.supervisor.linux.sampling import Sampler
from orpheus.supervisor.policy.liveness import is_silent
from orpheus.supervisor.policy.slot import Observation, ObservedJob, Process, Rules
from orpheus.supervisor.recorder import Recorder


class Observer(msgspec.Struct):
    """Observes processes: asks them, the kernel, and what was last read of the database."""

    sampler: Sampler
    recorder: Recorder
    memory_kills: OutOfMemoryKills = msgspec.field(default_factory=OutOfMemoryKills)

    def observe(
        self, child: ProcessHandle, process: Process, rules: Rules, now_s: float, *, serves: bool
    ) -> Observation:
        """Return what was seen of `process` before, with what can be observed of `child` now.

        If it is silent, its status is read now: the last sample may be from before it was stopped,
        and the process would be killed instead of continued. `serves`: its slot is ready.
        """
        seen, exit = process.seen, child.peek_exit()  # first: then its last messages have arrived
        for message in child.messages(has_exited=exit is not None, serves=serves):
            seen = add_message(seen, message)
        if exit is not None and exit.signal == signal.SIGKILL:
            exit = replace(exit, out_of_memory=self.memory_kills.take_one(now_s))
        seen = replace(
            seen,
            exit=exit,
            supervisor_writes=self.recorder.can_write(),
            row_beat=self.recorder.row_beats.get(process.incarnation, seen.row_beat),
        )
        sample = self.sampler.latest.get(process.incarnation)
        if sample is not None:
            seen = replace(seen, os_status=sample.os_status, rss_bytes=sample.rss_bytes)
        if exit is None and is_silent(process, rules, now_s):
            with contextlib.suppress(OSError):
                seen = replace(seen, os_status=process_stat(child.pid).os_status)
        holder = self.sampler.holder
        if holder is not None and holder.pid == child.pid:
            return replace(seen, lock_held_s=holder.held_s, os_status=holder.os_status)
        return replace(seen, lock_held_s=0.0)


def add_message(seen: Observation, message: Mapping[str, Any]) -> Observation:
    """Return the observation with one message of the child (shared/process/channel.py)."""
    try:
        match message.get("say"):
            case "ready":
                return replace(seen, ready=True)
            case "beat":
                return _add_beat(seen, message)
            case "recycle":
                done = int(message.get("jobs_done", seen.jobs_done))
                return replace(seen, recycle=str(message["reason"]), jobs_done=done)
            case "failed":
                why = str(message.get("evidence", ""))[-EVIDENCE_LENGTH:]  # its end says most
                return replace(seen, failed=str(message["reason"]), evidence=why or None)
            case "unhealthy":
                return replace(seen, unhealthy=str(message["reason"]))
            case "unready":
                return replace(seen, unready=str(message["reason"]))
    except (KeyError, TypeError, ValueError):
        pass
    return seen


def _add_beat(seen: Observation, message: Mapping[str, Any]) -> Observation:
    job = message["job"]
    return replace(
        seen,
        beat=int(message["beat"]),
        loop=int(message["loop"]),
        jobs_done=int(message["jobs_done"]),
        database_ok=bool(message["database_ok"]),
        job=job
        and ObservedJob(
            id=int(job["id"]),
            type=str(job["type"]),
            overdue=float(job["hard_deadline_in_s"]) <= 0,
        ),
    )
