"""How long a job waits for an idle worker, from when it is stored to its handler's first line.

Each system runs alone with two idle workers, and gets a job every 10 to 50 ms.
"""

from benchmarks.catalog import ALONE, Entry
from benchmarks.drain import warm_up
from benchmarks.run import Run
from benchmarks.systems import running

WARM = 20
ROUNDS = 2
LIMIT_S = 4.0


def measure(run: Run) -> None:
    for _ in range(min(run.rounds, ROUNDS)):
        for entry in run.entries:
            if entry.name != ALONE:
                with run.trying(entry.name, "pick-up"):
                    pick_up(run, entry)


def pick_up(run: Run, entry: Entry) -> None:
    jobs = run.number(200)
    with running(entry, WARM + jobs) as system:
        warm_up(system, WARM)
        took_s = sorted(system.ask("pick_up", WARM, jobs, LIMIT_S))
        system.effects.check(WARM, len(took_s))
    run.results.add("pick_up_p50", entry.name, percentile(took_s, 0.5) * 1000)
    run.results.add("pick_up_p99", entry.name, percentile(took_s, 0.99) * 1000)


def percentile(ordered: list[float], part: float) -> float:
    return ordered[int(part * (len(ordered) - 1))]
