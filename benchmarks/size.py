"""How large the processes are, and how long the commands of the command line take."""

import subprocess
import sys
import time

import psutil

from benchmarks.catalog import ORPHEUS
from benchmarks.live import live
from benchmarks.run import Run
from benchmarks.systems import ROOT

JOBS = 5_000
COMMAND = [sys.executable, "-m", "orpheus"]


def measure(run: Run) -> None:
    jobs = run.number(JOBS)
    for _ in range(min(run.rounds, 3)):
        with run.trying(ORPHEUS, "size"), live(jobs) as system:
            run.results.add("all_ready", ORPHEUS, system.ready_s * 1000)
            system.fill(0, jobs)
            system.wait_until_done(0, jobs)
            for row, slot in (("supervisor_rss", "supervisor"), ("api_rss", "api")):
                run.results.add(row, ORPHEUS, rss_mb(system.pid(slot)))
            run.results.add("help", ORPHEUS, command_ms("--help"))
            url = f"--set=database.url={system.url}"
            run.results.add("command", ORPHEUS, command_ms("jobs", url))


def rss_mb(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def command_ms(*arguments: str) -> float:
    """Return how long a command takes, in milliseconds."""
    began_s = time.monotonic()
    subprocess.run([*COMMAND, *arguments], cwd=ROOT, check=True, capture_output=True)
    return (time.monotonic() - began_s) * 1000
