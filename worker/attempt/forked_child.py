"""The children that a handler forks: what they are cut off from, and where they end.

A forked child is a copy of the worker in the middle of its loop, with its leases and connections.
It may do what its handler started it for, print and log, and exec another program. But it ends when
it leaves the handler, and never returns into the loop. The hook that `cut_off_children` sets cuts
it off from what it must not share with the worker. A fork in C code, which runs no hook, still ends
with its handler.

A child only puts other files in the place of its descriptors. It closes no connection: SQLite would
move or delete the write-ahead log. And its locks are its own: POSIX locks belong to a process, so
the worker keeps those it has, whatever the child does with its descriptors.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn, TextIO

from orpheus.worker.attempt.job_log import JobLog

_EPOLL = "anon_inode:[eventpoll]"
"""An epoll descriptor is shared by parent and child: an event loop in the child would change it."""


def end_forked_child() -> NoReturn:
    """End this process with the exit code that Python would give it.

    It has left its handler, by the exception that is being handled now or without one.
    """
    error = sys.exc_info()[1]
    try:
        code = _exit_code(error)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:  # noqa: BLE001 - whatever happens, it must not get into the loop
        code = 1
    finally:
        os._exit(code)


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return 1
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def cut_off_children(
    files: Collection[str],
    folders: Collection[Path],
    descriptors: Collection[int],
    running_log: Callable[[], JobLog | None],
) -> None:
    """From now on, cut off every child that this process forks.

    In the child, `descriptors`, those of `files` (paths), of all in `folders` and every epoll
    descriptor lead to /dev/null, and what it prints and logs goes to its descriptors 1 and 2.
    `running_log` returns the log of the job that runs.
    """
    named = {_EPOLL, *files}
    inside = tuple(f"{folder}/" for folder in folders)

    def cut_off() -> None:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in {*descriptors, *_descriptors_of(named, inside)}:
            os.dup2(null, fd, inheritable=False)
        os.close(null)
        # Fresh streams: a thread that the child does not have may hold the lock of the old ones.
        sys.stdout = _stream(1)
        sys.stderr = _stream(2)
        log = running_log()
        if log is not None:
            log.write_to_stderr()

    os.register_at_fork(after_in_child=cut_off)


def _stream(fd: int) -> TextIO:
    return open(fd, "w", buffering=1, errors="backslashreplace", closefd=False)


def _descriptors_of(files: Collection[str], folders: tuple[str, ...]) -> list[int]:
    """Return the descriptors that lead to one of `files` or into one of `folders`; not 0 to 2."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors are numbers, not paths
        with contextlib.suppress(OSError):  # the one that lists them
            path = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115 - the same
            if int(name) > 2 and (path in files or path.startswith(folders)):
                found.append(int(name))
    return found
