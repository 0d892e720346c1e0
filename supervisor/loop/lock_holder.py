"""Finds a process outside the slots that holds the database's write lock for too long.

A slot's own process is judged by supervisor/policy/liveness.py. A program that a job has started is
killed here. A process that is not ours is only reported.
"""

import os
from collections.abc import Collection

import psutil

from orpheus.shared.logs import get_logger
from orpheus.supervisor.linux.adoption import incarnation_of, kill_if_incarnation
from orpheus.supervisor.linux.process_handle import ProcessHandle
from orpheus.supervisor.linux.write_lock import LockHolder
from orpheus.supervisor.policy.slot import OsStatus

log = get_logger()


class LockHolderCheck:
    """Checks the holder of the write lock in each turn. Main thread only."""

    def __init__(self) -> None:
        self.trouble = ""
        """Which foreign process holds the database; empty: none."""
        self._handled_pid: int | None = None
        """The holder that was reported or killed already."""

    def check(
        self,
        holder: LockHolder | None,
        children: Collection[ProcessHandle],
        lock_hold_s: float,
    ) -> None:
        """Kill or report a holder that is not a slot's process and has held the lock too long."""
        # It was seen up to a second ago: do not report a process that we have killed since.
        if holder is None or holder.held_s < lock_hold_s or not psutil.pid_exists(holder.pid):
            self.trouble, self._handled_pid = "", None
            return
        if holder.pid in {os.getpid(), *(child.pid for child in children)}:
            return
        is_known, self._handled_pid = holder.pid == self._handled_pid, holder.pid
        incarnation = incarnation_of(holder.pid)
        is_ours = incarnation in {child.incarnation for child in children}
        who = f"process {holder.pid} ({holder.command})"
        what = f"has held the database's write lock for {holder.held_s:.0f} s"
        if not is_ours:
            self.trouble = f"{who}, which is not ours, {what}: nothing can be written"
            if not is_known:
                log.warning(
                    "database_held_by_foreign_process", pid=holder.pid, command=holder.command
                )
        elif not is_known and holder.os_status is not OsStatus.UNINTERRUPTIBLE:
            log.warning("lock_holder_killed", pid=holder.pid, command=holder.command, why=what)
            kill_if_incarnation(holder.pid, incarnation)
