"""How fast a job runs again after `kill -9` of its worker, and how fast its slot is ready again."""

import os
import signal
import time
from collections.abc import Callable

from benchmarks.catalog import ORPHEUS
from benchmarks.live import Live, is_ready, live
from benchmarks.run import Run
from benchmarks.servers import NotMeasured
from orpheus.shared.domain.jobs import NewJob, Status

KILLS = 5
GIVE_UP_S = 60.0


def measure(run: Run) -> None:
    kills = max(1, int(KILLS * run.size))
    with run.trying(ORPHEUS, "recovery"), live(kills) as system:
        for n in range(kills):
            kill(run, system, n)


def first_time(is_so: Callable[[], bool]) -> float:
    """Return when something is so: asked for every millisecond, so that it costs nobody much."""
    until_s = time.monotonic() + GIVE_UP_S
    while not is_so():
        if time.monotonic() > until_s:
            raise NotMeasured(f"not recovered after {GIVE_UP_S:.0f} s")
        time.sleep(0.001)
    return time.monotonic()


def kill(run: Run, system: Live, n: int) -> None:
    """Kill the worker that runs a job; the times from then on. The other worker is idle."""
    effects, store = system.system.effects, system.store
    job = store.jobs.submit(NewJob("hold", payload=f'{{"n":{n},"seconds":1.0}}')).job
    system.system.wait(lambda: effects.seen(n, 1) == 1)
    running = store.jobs.get(job.id)
    pid = system.pid(running.worker or "")
    killed_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    times = {
        "leased_again": first_time(lambda: store.jobs.get(job.id).attempt > running.attempt),
        "running_again": first_time(lambda: effects.seen(n, 1) == 2),
        "slot_ready": first_time(
            lambda: is_ready(store, 2) and system.pid(running.worker or "") != pid
        ),
    }
    times["running_again"] = effects.time_of(n)
    for row, time_s in times.items():
        run.results.add(row, ORPHEUS, (time_s - killed_s) * 1000)
    system.system.wait(lambda: store.jobs.get(job.id).status is Status.DONE)
