"""The file in which a worker tells what the coroutines of its jobs await.

Beside it, faulthandler writes the stacks of the threads (shared/process/child_start.py). That
works while no Python code can run, but it knows nothing of coroutines that await.
"""

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.logs import get_logger
from orpheus.worker.attempt.awaits import awaits_of
from orpheus.worker.attempt.context import RunningAttempt

log = get_logger()


class AwaitsFile:
    """Written anew, in one step, each time that somebody asks. For one thread only."""

    def __init__(self) -> None:
        self.path: Path | None = None
        """None: nothing is written."""
        self._writer: threading.Thread | None = None

    def write(self, attempts: Sequence[RunningAttempt], wait_s: float = 0.0) -> None:
        """Write what they await, in another thread: a disk that hangs must not hold this one up.

        Waits for at most `wait_s`.
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
    """Write even that there is nothing: who has asked waits for it."""
    try:
        new = path.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(awaits_of(attempts), encoding="utf-8", errors="replace")
        new.replace(path)
    except Exception:
        log.exception("awaits_not_written")
