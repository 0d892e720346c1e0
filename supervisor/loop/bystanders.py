"""Who else is in the way: what the kernel did to us, and strangers that hold the write lock.

A child of ours that blocks the database is judged as such (supervisor/policy/liveness.py). Its own
children are not slots: a program that a job started and that holds the lock is ended here. What is
no process of ours is never touched, only told.
"""

import os
from collections.abc import Collection

import psutil

from orpheus.shared.logs import get_logger
from orpheus.supervisor.linux.adoption import bearer_of, kill_if_bearer
from orpheus.supervisor.linux.cgroup import oom_kills
from orpheus.supervisor.linux.sampling import Sampler
from orpheus.supervisor.loop.child import ChildHandle
from orpheus.supervisor.policy.slot import OsStatus

log = get_logger()


class Bystanders:
    """What is looked at in each turn besides the slots. Main thread only."""

    def __init__(self, sampler: Sampler) -> None:
        self.trouble = ""
        """A stranger that holds the database; empty: none."""
        self._sampler = sampler
        self._oom_kills = oom_kills()
        self._unexplained = 0
        """Kills for memory that no death has been put down to yet."""
        self._dealt_with: int | None = None
        """The pid of a holder that was told of, or killed."""

    def killed_for_memory(self) -> bool | None:
        """Whether the kernel has killed for memory in our cgroup, once more than has been asked.

        Asked right after a death by SIGKILL. None: the kernel does not say.
        """
        before, self._oom_kills = self._oom_kills, oom_kills()
        if self._oom_kills is None or before is None:
            return None
        self._unexplained += self._oom_kills - before
        if self._unexplained <= 0:
            return False
        self._unexplained -= 1
        return True

    def look(self, children: Collection[ChildHandle], lock_hold_s: float) -> None:
        """Find who holds the write lock for too long and is no slot's process."""
        holder = self._sampler.holder
        # The look is up to a second old: one that has just been ended is in nobody's way.
        if holder is None or holder.held_s < lock_hold_s or not psutil.pid_exists(holder.pid):
            self.trouble, self._dealt_with = "", None
            return
        if holder.pid in {os.getpid(), *(child.pid for child in children)}:
            return
        is_known, self._dealt_with = holder.pid == self._dealt_with, holder.pid
        incarnation = bearer_of(holder.pid)
        is_ours = incarnation in {child.incarnation for child in children}
        who = f"process {holder.pid} ({holder.command})"
        what = f"has held the database's write lock for {holder.held_s:.0f} s"
        if not is_ours:
            self.trouble = f"{who}, which is not ours, {what}: nothing can be written"
            if not is_known:
                log.warning("database_held_by_stranger", pid=holder.pid, command=holder.command)
        elif not is_known and holder.os_status is not OsStatus.UNINTERRUPTIBLE:
            log.warning("lock_holder_killed", pid=holder.pid, command=holder.command, why=what)
            kill_if_bearer(holder.pid, incarnation)
