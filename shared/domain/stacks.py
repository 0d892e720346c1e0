"""The stacks of a process, as faulthandler writes them: those of all its threads. Pure."""

import re

_THREAD = re.compile(r"^(?=(?:Current thread|Thread) 0x)", re.MULTILINE)
_RUNS_JOBS = "worker/attempt/executor.py"


def job_first(stacks: str) -> str:
    """Return the stacks, beginning with those of the threads that run the code of jobs."""
    head, *threads = _THREAD.split(stacks)
    threads.sort(key=lambda thread: (_RUNS_JOBS not in thread, not thread.startswith("Current")))
    return "\n\n".join(part.strip() for part in (head, *threads)).strip()
