"""What the kernel says of one process, in a single read of /proc/PID/stat.

psutil reads several files for the same. Every two seconds for each process, that was a third of
what an idle supervisor cost.
"""

import os

import msgspec

from orpheus.supervisor.policy.slot import OsStatus

_STATE, _USER, _SYSTEM, _RSS = 0, 11, 12, 21  # counted from behind the name: proc_pid_stat(5)
_MOST_BYTES = 4_096
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_OS_STATUS = {
    b"T": OsStatus.STOPPED,
    b"t": OsStatus.STOPPED,  # by a debugger
    b"D": OsStatus.UNINTERRUPTIBLE,
}


class ProcessStat(msgspec.Struct, frozen=True):
    """The state of a process. `cpu_s` is its CPU time so far, of all its threads."""

    os_status: OsStatus
    cpu_s: float
    rss_bytes: int


def process_stat(pid: int) -> ProcessStat:
    """Return the state of a process. Raises OSError if there is none."""
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - as the module says
        fields = file.read(_MOST_BYTES).rpartition(b")")[2].split()
    return ProcessStat(
        _OS_STATUS.get(fields[_STATE], OsStatus.RUNNING),
        (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_S,
        int(fields[_RSS]) * _PAGE_BYTES,
    )
