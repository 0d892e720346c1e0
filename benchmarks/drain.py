"""Measure how fast the whole system finishes short jobs: supervisor, API and two workers.

It runs with `durability = "power"`, in turn with prefetching (the default) and with one job at a
time, and prints both with their ratio: absolute figures depend on the machine, ratios less so.

    uv run python benchmarks/drain.py [JOBS] [ROUNDS]
"""

import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store

ROOT = Path(__file__).parents[1]
VARIANTS = {"ahead 20 ms": "leases.ahead='20ms'", "one at a time": "leases.ahead=0"}


def wait_for(condition, process: subprocess.Popen[bytes]) -> None:
    while not condition():
        if process.poll() is not None:
            raise SystemExit(f"the supervisor ended with {process.returncode}")
        threading.Event().wait(0.002)


def done(store: Store) -> int:
    return store.stats.counts()[Status.DONE]


def all_ready(store: Store) -> bool:
    slots = store.processes.slots()
    return len(slots) == 4 and all(slot.state == "ready" for slot in slots)


def jobs_per_second(setting: str, jobs: int) -> float:
    """Run `jobs` jobs on a fresh system; return the time from their commit to the last end."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/data/orpheus.db"
        settings = ("api.port=0", "pools.default.workers=2", f"database.url={url}", setting)
        sets = [part for one in settings for part in ("--set", one)]
        process = subprocess.Popen(
            [sys.executable, "-m", "orpheus.supervisor", *sets], cwd=ROOT, stdout=-3, stderr=-3
        )
        try:
            wait_for(lambda: Path(folder, "data", "orpheus.db").exists(), process)
            store = open_store(url, create=True, pools={"default": ("*",)})
            wait_for(lambda: all_ready(store), process)
            store.jobs.submit_many([NewJob("wordcount", payload='{"text":"a b"}')] * jobs)
            begin = time.perf_counter()
            wait_for(lambda: done(store) == jobs, process)
            rate = jobs / (time.perf_counter() - begin)
            store.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    return rate


def main() -> None:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name, setting in VARIANTS.items():
            rates[name].append(jobs_per_second(setting, jobs))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, median in medians.items():
        low, high = min(rates[name]), max(rates[name])
        print(f"{name:14} {median:8,.0f} jobs/s (median of {rounds}; {low:,.0f} to {high:,.0f})")
    ahead, single = medians.values()
    print(f"ratio          {ahead / single:8.1f}")


if __name__ == "__main__":
    main()
