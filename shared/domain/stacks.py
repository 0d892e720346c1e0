"""PURE: the stacks of a process: those of its threads, and what the coroutines of its jobs await.

A worker writes both itself (worker/control/awaits_file.py), and while no Python code of it can run,
faulthandler the first, at a signal.
"""

import re

_PART = re.compile(r"^(?=(?:Current thread|Thread) 0x|Coroutine of job \d)", re.MULTILINE)
_COROUTINE = "Coroutine of job "
_RUNS_NOW = re.compile(r"^Coroutine of job .*, which runs now \(", re.MULTILINE)
_RUNS_JOBS = "worker/attempt/executor.py"

THREADS_BELOW = "\f\n"
"""In what a worker writes, between the coroutines of its jobs and its threads."""


def job_first(threads: str, coroutines: str = "") -> str:
    """Return both, with what a job does first: its coroutine, or the thread that runs its code.

    The thread goes first if a coroutine runs in it: all others on its event loop wait for that.
    """
    head, *parts = _PART.split(threads)
    parts += _PART.split(coroutines)[1:]
    is_busy = _RUNS_NOW.search(coroutines) is not None

    def rank(part: str) -> int:
        if part.startswith(_COROUTINE):
            return 1
        if _RUNS_JOBS in part:
            return 0 if is_busy else 2
        return 3

    parts.sort(key=lambda part: (rank(part), not part.startswith("Current")))
    return "\n\n".join(part.strip() for part in (head, *parts)).strip()
