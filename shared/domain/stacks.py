"""The stacks of a process: its threads, and what the coroutines of its jobs await. Pure.

A worker writes both itself (worker/control/awaits_file.py). While it can run no Python code,
faulthandler writes its threads, at a signal.
"""

import re
from collections.abc import Mapping

_PART = re.compile(r"^(?=(?:Current thread|Thread) 0x|Coroutine of job \d)", re.MULTILINE)
_COROUTINE = "Coroutine of job "
_THREAD = re.compile(r"^(?:Current thread|Thread) 0x(?P<id>[0-9a-f]+)")
_OF_JOB = re.compile(r"(?:Coroutine|(?:Current thread|Thread) 0x[0-9a-f]+) of job (\d+) ")
_RUNS_NOW = re.compile(r"^Coroutine of job .*, which runs now \(", re.MULTILINE)
_RUNS_JOBS = "worker/attempt/executor.py"

THREADS_BELOW = "\f\n"
"""What a worker writes between the coroutines of its jobs and its threads."""


def of_jobs(threads: str, jobs: Mapping[int, str]) -> list[str]:
    """Return the stack of each thread, with the job that it runs; `jobs`: that job by thread."""

    def with_job(heading: re.Match[str]) -> str:
        job = jobs.get(int(heading["id"], 16))
        return f"{heading[0]} of job {job}" if job else heading[0]

    return [_THREAD.sub(with_job, part) for part in threads.split("\n\n")]


def job_first(threads: str, coroutines: str = "", job_id: int | None = None) -> str:
    """Return both, beginning with what a job does: its coroutine, or the thread that runs its code.

    A thread goes first if a coroutine runs in it: all others on its event loop wait for that. Of
    several jobs, what `job_id` does comes before all others.
    """
    head, *parts = _PART.split(threads)
    parts += _PART.split(coroutines)[1:]
    is_busy = _RUNS_NOW.search(coroutines) is not None
    on_loop = {_job_of(part) for part in parts if part.startswith(_COROUTINE)}

    def rank(part: str) -> tuple[bool, int, bool]:
        job = _job_of(part)
        runs_loop = is_busy and _RUNS_JOBS in part and (job is None or job in on_loop)
        is_other = job != job_id and not (runs_loop and job_id in on_loop)
        if runs_loop:
            kind = 0
        elif part.startswith(_COROUTINE):
            kind = 1
        else:
            kind = 2 if _RUNS_JOBS in part else 3
        return is_other and job_id is not None, kind, not part.startswith("Current")

    parts.sort(key=rank)
    return "\n\n".join(part.strip() for part in (head, *parts)).strip()


def _job_of(part: str) -> int | None:
    found = _OF_JOB.match(part)
    return int(found[1]) if found else None
