"""PURE: the stacks that faulthandler writes of a process."""

import re

_THREAD = re.compile(r"^(?=(?:Current thread|Thread) 0x)", re.MULTILINE)
_RUNS_JOBS = "worker/attempt/executor.py"


def job_thread_first(stacks: str) -> str:
    """Return what faulthandler wrote of all threads, the one that runs the job's code first."""
    head, *threads = _THREAD.split(stacks)
    threads.sort(key=lambda thread: (_RUNS_JOBS not in thread, not thread.startswith("Current")))
    return "\n\n".join(part.strip() for part in (head, *threads)).strip()
