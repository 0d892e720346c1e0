"""Stacks of a process, with what the job does first."""

from orpheus.shared.domain.stacks import job_first, job_only

STACKS = """Fatal Python error: Aborted

Thread 0x0001 (most recent call first):
  File "/x/worker/control/control_thread.py", line 9 in _listen

Current thread 0x0002 (most recent call first):
  File "/x/worker/leasing/renewal.py", line 9 in run

Thread 0x0003 (most recent call first):
  File "/x/jobs.py", line 2 in crunch
  File "/x/worker/attempt/executor.py", line 9 in run
"""


def order(stacks: str) -> list[str]:
    """Of each part what tells it from the others."""
    return [line.partition(" (most")[0] for line in stacks.splitlines() if "0x" in line]


THREADS = ["Thread 0x0003", "Current thread 0x0002", "Thread 0x0001"]


def test_the_stack_of_the_jobs_thread_comes_first() -> None:
    assert order(job_first(STACKS)) == THREADS
    assert job_first(STACKS).startswith("Fatal Python error: Aborted\n\nThread 0x0003")
    assert job_first("") == ""


def test_a_crash_shows_only_the_code_of_the_job() -> None:
    head = "Fatal Python error: Aborted\n"
    crunch, more = '  File "/x/jobs.py", line 2 in crunch\n', "(3 threads; --json shows all)"
    assert job_only(STACKS.replace("/x/worker", "/orpheus/worker")) == head + crunch + more
    assert job_only("Traceback of an exception\n") == "Traceback of an exception\n"
