"""The stacks of a process, as faulthandler writes them: those of all its threads. Pure."""

import re

_THREAD = re.compile(r"^(?=(?:Current thread|Thread) 0x)", re.MULTILINE)
_RUNS_JOBS = "worker/attempt/executor.py"
_MAIN = "in <module>"
_ASKED = "worker/control/"
"""The thread that writes the stacks when it is asked for them."""
_OF_WORKER = re.compile(r"orpheus/(?:shared/job_types|worker/(?:attempt|leasing|process|__main__))")


def job_first(stacks: str) -> str:
    """Return the stacks, beginning with those of the threads that run the code of jobs.

    Then comes the thread that crashed, then the main thread.
    """

    def rank(thread: str) -> tuple[bool, bool, bool]:
        crashed = thread.startswith("Current") and _ASKED not in thread
        return _RUNS_JOBS not in thread, not crashed, _MAIN not in thread

    head, *threads = _THREAD.split(stacks)
    threads.sort(key=rank)
    return "\n\n".join(part.strip() for part in (head, *threads)).strip()


def job_only(dump: str) -> str:
    """Return what the job's own thread did, without the frames of the worker.

    Return text that is not a dump as it is.
    """
    head, *threads = _THREAD.split(dump)
    if not threads:
        return dump
    mine = job_first("".join(threads)).split("\n\n")[0].splitlines()[1:]
    worker = next((n for n, line in enumerate(mine) if _OF_WORKER.search(line)), 0)
    own = [head.strip(), *(mine[:worker] if worker else mine)]
    more = f"({len(threads)} threads; --json shows all)" if len(threads) > 1 else ""
    return "\n".join(filter(None, [*own, more]))
