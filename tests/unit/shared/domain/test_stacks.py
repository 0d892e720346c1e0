"""Stacks of a process, with what the job does first."""

from orpheus.shared.domain.stacks import job_first

STACKS = """Fatal Python error: Aborted

Thread 0x0001 (most recent call first):
  File "/x/worker/control/control_thread.py", line 9 in _listen

Current thread 0x0002 (most recent call first):
  File "/x/worker/leasing/renewal.py", line 9 in run

Thread 0x0003 (most recent call first):
  File "/x/jobs.py", line 2 in crunch
  File "/x/worker/attempt/executor.py", line 9 in run
"""
AWAITS = """Coroutine of job 12 (report), which awaits a Future (most recent call first):
  File "/x/jobs.py", line 3 in report

Coroutine of job 12 (report), its task Task-9, which awaits a Future (most recent call first):
  File "/x/jobs.py", line 7 in fetch

Coroutine of job 12 (report) has 15 more tasks
"""


def order(stacks: str) -> list[str]:
    """Of each part what tells it from the others."""
    lines = [line for line in stacks.splitlines() if "0x" in line or "Coroutine" in line]
    return [line.partition(" (most")[0].partition(", which")[0] for line in lines]


THREADS = ["Thread 0x0003", "Current thread 0x0002", "Thread 0x0001"]
REST = THREADS[1:]
COROUTINES = [
    "Coroutine of job 12 (report)",
    "Coroutine of job 12 (report), its task Task-9",
    "Coroutine of job 12 (report) has 15 more tasks",
]


def test_the_stack_of_the_jobs_thread_comes_first() -> None:
    assert order(job_first(STACKS)) == THREADS
    assert job_first(STACKS).startswith("Fatal Python error: Aborted\n\nThread 0x0003")
    assert job_first("") == ""


def test_what_a_coroutine_awaits_comes_before_the_thread_that_waits_for_it() -> None:
    both = job_first(STACKS, AWAITS)
    assert order(both) == COROUTINES + THREADS
    assert both.startswith("Fatal Python error: Aborted\n\nCoroutine of job 12 ")


def test_the_thread_comes_first_while_a_coroutine_runs_in_it() -> None:
    running = AWAITS.replace("which awaits a Future", "which runs now", 1)
    assert order(job_first(STACKS, running)) == [THREADS[0], *COROUTINES, *THREADS[1:]]


def test_the_named_job_comes_first_be_it_a_thread_or_a_coroutine() -> None:
    both = STACKS.replace("Thread 0x0003", "Thread 0x0003 of job 11 (crunch)")
    assert order(job_first(both, AWAITS)) == [
        *COROUTINES,
        "Thread 0x0003 of job 11 (crunch)",
        *REST,
    ]
    assert order(job_first(both, AWAITS, job_id=12)) == order(job_first(both, AWAITS))
    first = ["Thread 0x0003 of job 11 (crunch)", *COROUTINES, *REST]
    assert order(job_first(both, AWAITS, job_id=11)) == first
    assert (
        order(job_first(both, AWAITS.replace("which awaits a Future", "which runs now", 1), 11))
        == first
    )


LOOP = """
Thread 0x0004 (most recent call first):
  File "/x/jobs.py", line 3 in report
  File "/x/worker/attempt/executor.py", line 9 in run_on_loop
"""


def test_the_thread_in_which_another_coroutine_runs_comes_before_the_one_that_waits_for_it() -> (
    None
):
    threads = STACKS.replace("Thread 0x0003", "Thread 0x0003 of job 11 (crunch)") + LOOP
    awaits = AWAITS.replace("which awaits a Future", "which runs now", 1)
    own = ["Thread 0x0003 of job 11 (crunch)"]
    loop = ["Thread 0x0004", *COROUTINES]
    assert order(job_first(threads, awaits, job_id=12)) == [*loop, *own, *REST]
    assert order(job_first(threads, awaits, job_id=11)) == [*own, *loop, *REST]
