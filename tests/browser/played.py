"""Jobs at a steady pace, as workers would do them if each took no time.

    python -m tests.browser.played DATABASE JOBS_PER_SECOND SECONDS

One process submits, leases and finishes them: a machine with two cores has something left for the
API and the page. Prints how many a second it did.
"""

import sys
import time

from orpheus.shared.domain.jobs import Holder, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, open_store

QUEUE = "played"
STEPS_PER_SECOND = 20
TTL_MS = 30_000


def step(store: Store, jobs: int) -> None:
    """Submit so many jobs, lease them, and finish them: three events each."""
    store.jobs.submit_many([NewJob("sum_range", payload='{"n":1}', queue=QUEUE)] * jobs)
    holder = Holder("played-1", "played", 1)
    leases = store.leases.lease(holder, [QUEUE], jobs, TTL_MS)
    store.leases.finish([Finished(lease, Ending.SUCCEEDED, "0") for lease in leases])


def main(url: str, jobs_per_second: int, seconds: int) -> None:
    """Play until it is over; a step that comes late is not made up for."""
    store = open_store(url)
    began_s = due_s = time.monotonic()
    done = 0
    while due_s < began_s + seconds:
        time.sleep(max(0.0, due_s - time.monotonic()))
        step(store, jobs_per_second // STEPS_PER_SECOND)
        done += jobs_per_second // STEPS_PER_SECOND
        due_s = max(due_s + 1 / STEPS_PER_SECOND, time.monotonic())
    took_s = time.monotonic() - began_s
    store.close()
    sys.stdout.write(f"{done / took_s:.0f}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
