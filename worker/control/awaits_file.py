"""The file in which a worker shows what its threads do, and what the coroutines of its jobs await.

Python code writes it, while no other thread can begin or end. During a signal handler, threads
go on, and one that just began or ended has crashed the process. So the signal, whose handler is
faulthandler (shared/process/child_start.py), is for a worker in which no Python code can run.
"""

import contextlib
import faulthandler
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from orpheus.shared.domain.stacks import THREADS_BELOW, of_jobs
from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.logs import get_logger
from orpheus.worker.attempt.awaits import awaits_of
from orpheus.worker.attempt.context import RunningAttempt

log = get_logger()


class AwaitsFile:
    """Replaces the file in one step each time that somebody asks. For one thread only."""

    def __init__(self) -> None:
        self.path: Path | None = None
        """None: nothing is written."""
        self._writer: threading.Thread | None = None

    def write(self, attempts: Sequence[RunningAttempt], wait_s: float = 0.0) -> None:
        """Write what the jobs await, and what the threads do.

        Another thread writes: a disk that hangs must not hold up this one. Waits `wait_s` at most.
        """
        path, writer = self.path, self._writer
        if path is None or (writer is not None and writer.is_alive()):
            return
        writer = threading.Thread(target=_write, args=(path, attempts), name="awaits", daemon=True)
        with contextlib.suppress(RuntimeError):  # the system has no thread for it
            start_without_signals(writer)
            self._writer = writer
            writer.join(wait_s)


def _write(path: Path, attempts: Sequence[RunningAttempt]) -> None:
    """Write the file, even if it is empty: the process that asked waits for it."""
    try:
        text = f"{awaits_of(attempts)}{THREADS_BELOW}{_threads(attempts)}"
        new = path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(text, encoding="utf-8", errors="replace")
        new.replace(path)
    except Exception:
        log.exception("awaits_not_written")


def _threads(attempts: Sequence[RunningAttempt]) -> str:
    """Return the stacks of all threads but this one, the main one first.

    They are written to memory, not to a disk: all threads stand still until that is done.
    """
    with os.fdopen(os.memfd_create("stacks"), "w+b") as memory:
        faulthandler.dump_traceback(memory, all_threads=True)
        jobs = {
            attempt.thread_id: f"{attempt.lease.job_id} ({attempt.lease.type})"
            for attempt in attempts
            if attempt.thread_id is not None
        }
        memory.seek(0)
        stacks = memory.read().decode(errors="replace")
    main_id = f"Thread 0x{threading.main_thread().ident:016x}"
    parts = of_jobs(stacks, jobs)
    parts.sort(key=lambda part: not part.startswith(main_id))
    return "\n\n".join(part for part in parts if not part.startswith("Current thread"))
