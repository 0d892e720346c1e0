"""What a system costs while it has nothing to do, and how fast it is after a rest.

All systems are up and idle at the same time, so that one rest serves them all. After each rest of
8 s, every system gets one job in turn. The CPU time and the wake-ups are those of all processes of
a system: workers, supervisor, API, server. The kernel counts the time in nanoseconds (ticks would
miss short work), and how often each thread has got a processor.
"""

import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from benchmarks.catalog import ALONE
from benchmarks.drain import warm_up
from benchmarks.run import Run
from benchmarks.systems import System, running

WARM = 20
REST_S = 8.0
SETTLE_S = 3.0


def measure(run: Run) -> None:
    rests = max(1, int(8 * run.size))
    with ExitStack() as stack:
        systems = []
        for entry in run.entries:
            if entry.name != ALONE:
                with run.trying(entry.name, "idle"):
                    system = stack.enter_context(running(entry, WARM + rests))
                    warm_up(system, WARM)
                    systems.append(system)
        time.sleep(SETTLE_S)
        for n in range(WARM, WARM + rests):
            rest(run, systems)
            for system in systems:
                (took_s,) = system.ask("pick_up", n, 1, 10.0)
                run.results.add("rested_pick_up", system.entry.name, took_s * 1000)
        for system in systems:
            run.results.add("worker_rss", system.entry.name, worker_mb(system))


def rest(run: Run, systems: list[System]) -> None:
    """Let all systems rest, and note what each has used of the processors meanwhile."""
    before = [(cpu_s(system), wake_ups(system)) for system in systems]
    began_s = time.monotonic()
    time.sleep(REST_S)
    took_s = time.monotonic() - began_s
    for system, (used_s, woken) in zip(systems, before, strict=True):
        share = (cpu_s(system) - used_s) / took_s
        run.results.add("idle_cpu", system.entry.name, share * 100)
        run.results.add("idle_wake_ups", system.entry.name, (wake_ups(system) - woken) / took_s)


def cpu_s(system: System) -> float:
    """Return the CPU time of all threads of all processes of a system."""
    return sum(int(used_ns) for used_ns, _, _ in schedule_of(system)) / 1e9


def wake_ups(system: System) -> int:
    """Return how often a thread of a system has begun to run."""
    return sum(int(times) for _, _, times in schedule_of(system))


def schedule_of(system: System) -> list[list[str]]:
    """Return of each thread how long it ran and waited to run, in ns, and how often it ran."""
    return [
        task.read_text().split()
        for process in system.processes()
        for task in Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    ]


def worker_mb(system: System) -> float:
    """Return the resident memory of the largest process that has run jobs."""
    return max(psutil.Process(pid).memory_info().rss for pid in system.effects.pids()) / 1e6
