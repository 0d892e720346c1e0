"""Durable functions: how many steps a second two workers keep, and what waiting functions cost.

Each function has ten steps that do nothing but record. All functions are submitted before the
workers start; the time begins when both workers work, and ends when all functions are done. Each
kept step is durable in all of these systems.
"""

import statistics
import time

from benchmarks.catalog import FUNCTIONS, ORPHEUS, Entry
from benchmarks.drain import check
from benchmarks.effects import STEPS
from benchmarks.idle import cpu_s
from benchmarks.live import live
from benchmarks.run import Run
from benchmarks.systems import running
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.domain.steps import NewSignal

WAITING = 100_000
PICKUPS = 50
WAITERS = 2 * PICKUPS
"""The number of the first that waits."""
REST_S = 8.0


def measure(run: Run) -> None:
    for _ in range(run.rounds):
        for entry in FUNCTIONS:
            with run.trying(entry.name, "functions"):
                steps(run, entry)
    with run.trying(ORPHEUS, "waiting"):
        waiting(run)


def steps(run: Run, entry: Entry) -> None:
    functions = run.number(entry.jobs)
    with running(entry, STEPS * functions) as system:
        system.ask("many", 0, functions)
        system.start_workers()
        ended_s = system.wait_until_done(0, STEPS * functions)
        times = system.effects.steady_times(0, STEPS * functions)
        check(run, system, STEPS * functions)
    run.results.add("steps", entry.name, len(times) / (ended_s - times[0]))


def waiting(run: Run) -> None:
    """Measure the same without and with functions that wait: half sleep, half want a signal."""
    functions = run.number(WAITING) // 2
    with live(WAITERS + 2 * functions) as orpheus:

        def figures(what: str, first: int) -> None:
            used_s, began_s = cpu_s(orpheus.system), time.monotonic()
            time.sleep(REST_S)
            share = (cpu_s(orpheus.system) - used_s) / (time.monotonic() - began_s)
            run.results.add(f"idle_{what}", ORPHEUS, share * 100)
            took_s = orpheus.system.ask("pick_up", first, PICKUPS, 30.0)
            run.results.add(f"pick_up_{what}", ORPHEUS, statistics.median(took_s) * 1000)

        figures("alone", 0)
        began_s = time.monotonic()
        for job_type, first in (("wait", WAITERS), ("rest", WAITERS + functions)):
            numbers = range(first, first + functions)
            orpheus.store.jobs.submit_many(
                [NewJob(job_type, payload=f'{{"n":{n}}}') for n in numbers]
            )
        orpheus.system.wait(
            lambda: (
                orpheus.system.effects.seen(WAITERS + functions, functions) == functions
                and orpheus.store.stats.counts()[Status.BLOCKED] == functions
            )
        )
        run.results.add("begin_to_wait", ORPHEUS, 2 * functions / (time.monotonic() - began_s))
        time.sleep(REST_S)
        figures("waiting", PICKUPS)
        took_s = []
        for n in range(WAITERS, WAITERS + PICKUPS):
            sent_s = time.monotonic()
            orpheus.store.signals.send(NewSignal("go", str(n), "null"))
            while not orpheus.system.effects.seen(n, 1):
                time.sleep(0.005)
            took_s.append(orpheus.system.effects.time_of(n) - sent_s)
        run.results.add("signal_to_line", ORPHEUS, statistics.median(took_s) * 1000)
