"""How fast a system finishes no-op jobs with two workers, and how fast it takes them.

Orpheus gets its jobs in one commit while its workers wait: the time begins at that commit. The
others get theirs before their workers start, since most enqueue one by one and should not have to
do both at once: the time begins when both workers work. It ends when all jobs have run and the
system itself regards them as finished. The ceiling script runs in turn with them.
"""

import time

from benchmarks import ceiling
from benchmarks.catalog import CEILING, ORPHEUS, Entry
from benchmarks.effects import NotExactlyOnce
from benchmarks.rows import SINGLE
from benchmarks.run import Run
from benchmarks.systems import System, running

CEILINGS = {CEILING: (60_000, 64), SINGLE: (6_000, 1)}


def measure(run: Run) -> None:
    for round in range(run.rounds):
        for entry in run.entries_of(round):
            with run.trying(entry.name, "drain"):
                drain(run, entry)
        for subject, (jobs, ahead) in CEILINGS.items():
            with run.trying(subject, "drain"):
                rate = ceiling.jobs_per_second(run.number(jobs), ahead)
                run.results.add("drain", subject, rate)


def drain(run: Run, entry: Entry) -> None:
    """Run the jobs of one round, a few of which are submitted one by one."""
    jobs = run.number(entry.jobs)
    alone = run.number(entry.jobs // 20)
    with running(entry, alone + jobs) as system:
        one_s = system.ask("each", 0, alone)
        many_s, rate = (
            from_commit(system, alone, jobs)
            if entry.module == ORPHEUS
            else from_backlog(system, alone, jobs)
        )
        check(run, system, alone + jobs)
    run.results.add("drain", entry.name, rate)
    run.results.add("submit_one", entry.name, alone / one_s)
    run.results.add("submit_many", entry.name, jobs / many_s)


def from_commit(system: System, alone: int, jobs: int) -> tuple[float, float]:
    """Submit to waiting workers; how long that took, and how many jobs a second were done."""
    system.start_workers()
    system.wait_until_done(0, alone)
    many_s = system.ask("many", alone, jobs)
    began_s = time.monotonic()
    ended_s = system.wait_until_done(0, alone + jobs)
    return many_s, jobs / (ended_s - began_s)


def from_backlog(system: System, alone: int, jobs: int) -> tuple[float, float]:
    """Submit, then start workers; how long that took, and how many jobs a second were done."""
    many_s = system.ask("many", alone, jobs)
    system.start_workers()
    ended_s = system.wait_until_done(0, alone + jobs)
    times = system.effects.steady_times(0, alone + jobs)
    return many_s, len(times) / (ended_s - times[0])


def check(run: Run, system: System, jobs: int) -> None:
    """Check that each job ran exactly once; of a peer, remark it.

    Raises NotExactlyOnce for Orpheus.
    """
    try:
        system.effects.check(0, jobs)
    except NotExactlyOnce as error:
        if system.entry.module == ORPHEUS:
            raise
        run.results.remarks.setdefault(system.entry.name, []).append(str(error))


def warm_up(system: System, jobs: int) -> None:
    """Start the workers and run a few jobs: afterwards the system is ready."""
    system.start_workers()
    system.ask("many", 0, jobs)
    system.wait_until_done(0, jobs)
