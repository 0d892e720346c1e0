"""Larger pools: whether more workers slow each other down, and whether any of them waits too long.

For each size of the pool: the drain of no-op jobs, how long another writer waits for the write lock
meanwhile, and how near jobs of 1, 10 and 100 ms come to what so many workers could do at best.
"""

import statistics
import time

from benchmarks.catalog import ORPHEUS
from benchmarks.live import Live, live
from benchmarks.pickup import percentile
from benchmarks.rows import JOBS_MS, POOLS
from benchmarks.run import Run
from orpheus.shared.domain.jobs import NewJob, Status

DRAIN = 10_000
BACKLOG = 50_000
BUSY_S = 1.0
"""How long jobs that take time would take at best."""
GAP_S = 0.0005
MOST_S = 4.0


def measure(run: Run) -> None:
    for _ in range(min(run.rounds, 2)):
        for workers in POOLS:
            with run.trying(ORPHEUS, f"{workers} workers"):
                pool(run, workers)


def pool(run: Run, workers: int) -> None:
    counts = {ms: max(workers, int(workers * BUSY_S * run.size * 1000 / ms)) for ms in JOBS_MS}
    drain, backlog = run.number(DRAIN), run.number(BACKLOG)
    with live(drain + backlog + sum(counts.values()), workers=workers) as system:
        rate = finish_per_second(system, 0, [effect(n) for n in range(drain)])
        run.results.add(f"drain_{workers}", ORPHEUS, rate)
        first = drain
        for ms, count in counts.items():
            jobs = [pause(n, ms) for n in range(first, first + count)]
            share = finish_per_second(system, first, jobs) / (workers / slept_s(ms))
            run.results.add(f"busy_{ms}_{workers}", ORPHEUS, share)
            first += count
        system.fill(first, backlog)
        waits_s = sorted(lock_waits_s(system))
        run.results.add(f"lock_wait_{workers}", ORPHEUS, percentile(waits_s, 0.999) * 1000)


def effect(n: int) -> NewJob:
    return NewJob("effect", payload=f'{{"n":{n}}}')


def pause(n: int, ms: int) -> NewJob:
    return NewJob("pause", payload=f'{{"n":{n},"seconds":{ms / 1000}}}')


def slept_s(ms: int) -> float:
    """Return how long a sleep of so many ms takes here: the kernel adds 0.1 to 0.5 ms."""
    taken_s = []
    for _ in range(20):
        began_s = time.perf_counter()
        time.sleep(ms / 1000)
        taken_s.append(time.perf_counter() - began_s)
    return statistics.median(taken_s)


def finish_per_second(system: Live, first: int, jobs: list[NewJob]) -> float:
    """Submit jobs in one commit; how many a second are finished from then on."""
    system.store.jobs.submit_many(jobs)
    began_s = time.monotonic()
    return len(jobs) / (system.wait_until_done(first, len(jobs)) - began_s)


def lock_waits_s(system: Live) -> list[float]:
    """Return how long a writer waits for the write lock, again and again while jobs are left."""
    waits_s = []
    store = system.store
    until_s = time.monotonic() + MOST_S
    while store.stats.counts()[Status.PENDING] and time.monotonic() < until_s:
        for _ in range(50):
            time.sleep(GAP_S)
            began_s = time.monotonic()
            with store.write(durable=False):
                waits_s.append(time.monotonic() - began_s)
    return waits_s
