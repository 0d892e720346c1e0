"""Several hosts on one PostgreSQL: how fast they drain no-op jobs together.

The hosts are supervisors with a name and a folder of their own, with one worker each. All of them
and the server share the processors of this machine, so the figures show what the database allows,
not what as many machines would reach.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from tempfile import TemporaryDirectory

import psutil
import psycopg

from benchmarks.catalog import BY_NAME, ON_POSTGRESQL
from benchmarks.rows import HOSTS
from benchmarks.run import Run
from benchmarks.servers import postgresql
from benchmarks.systems import System, running
from orpheus.shared.storage import open_store

JOBS = 10_000
PAUSES = 4_000
"""For each host."""
WARM = 200
EVENTS = 30_000
_EVENTS = """WITH made AS (
        INSERT INTO orpheus.new_batches SELECT generate_series(1, %s) RETURNING id)
    INSERT INTO orpheus.event_rows (batch, position, at_ms, kind, job_id, body)
    SELECT id, 1, 1, 'job.done', id, '{}' FROM made"""
"""Each is a batch of its own, as those of jobs that run one at a time."""


def measure(run: Run) -> None:
    for _ in range(min(run.rounds, 3)):
        for hosts in HOSTS:
            with run.trying(ON_POSTGRESQL, f"{hosts} hosts"):
                drain(run, hosts)
        with run.trying(ON_POSTGRESQL, "short pauses"):
            pauses(run)
        with run.trying(ON_POSTGRESQL, "the sequencer"):
            number_events(run)


def drain(run: Run, hosts: int) -> None:
    jobs = run.number(JOBS)
    with warm(hosts, jobs) as system:
        written, used_s, own_s = wal_bytes(system), server_cpu_s(system), worker_cpu_s(system)
        rate = finish_per_second(system, jobs)
        own_s = worker_cpu_s(system) - own_s
        written, used_s = wal_bytes(system) - written, server_cpu_s(system) - used_s
    run.results.add(f"hosts_{hosts}", ON_POSTGRESQL, rate)
    run.results.add(f"wal_{hosts}", ON_POSTGRESQL, written / jobs / 1000)
    run.results.add(f"cpu_{hosts}", ON_POSTGRESQL, used_s / jobs * 1e6)
    run.results.add(f"worker_{hosts}", ON_POSTGRESQL, own_s / jobs * 1e6)


def pauses(run: Run) -> None:
    """Compare three hosts with one while their jobs rest.

    So the server has processors to itself, and only waits for each other slow the hosts down.
    """
    rates = []
    for hosts in (1, 3):
        jobs = run.number(PAUSES) * hosts
        with warm(hosts, jobs, "type=short_pause") as system:
            rates.append(finish_per_second(system, jobs))
    run.results.add("three_hosts", ON_POSTGRESQL, rates[1] / rates[0])


@contextmanager
def warm(hosts: int, jobs: int, *settings: str) -> Iterator[System]:
    """Start hosts with one worker each, wait until all are ready, and let them do a few jobs."""
    variant = " ".join((f"hosts={hosts} pools.default.workers=1", *settings))
    with running(replace(BY_NAME[ON_POSTGRESQL], variant=variant), WARM + jobs) as system:
        system.start_workers()
        system.wait(lambda: ready(system) == 2 * hosts + 1)
        system.ask("many", 0, WARM)
        system.wait_until_done(0, WARM)
        yield system


def finish_per_second(system: System, jobs: int) -> float:
    """Submit jobs to waiting workers; how many a second were done, each exactly once."""
    system.ask("many", WARM, jobs)
    began_s = time.monotonic()
    ended_s = system.wait_until_done(0, WARM + jobs)
    system.effects.check(0, WARM + jobs)
    return jobs / (ended_s - began_s)


def number_events(run: Run) -> None:
    """Give numbers to events that wait for one, as whoever reads events does: one at a time."""
    n = run.number(EVENTS)
    with (
        postgresql() as server,
        TemporaryDirectory() as folder,
        psycopg.connect(server.url, autocommit=True) as connection,
    ):
        open_store(server.url, create=True, state_dir=folder).close()
        connection.execute(_EVENTS, (n,))
        began_s = time.perf_counter()
        while connection.execute("SELECT orpheus.number_events()").fetchone() == (True,):
            pass
        took_s = time.perf_counter() - began_s
        row = connection.execute("SELECT last_seq FROM orpheus.history").fetchone()
        numbered = int(row[0]) if row else 0
    run.results.add("sequencer", ON_POSTGRESQL, numbered / took_s)


def ready(system: System) -> int:
    """Return how many supervisors, workers and APIs of all hosts are ready."""
    with psycopg.connect(system.server.url) as connection:
        query = "SELECT count(*) FROM orpheus.slots WHERE state = 'ready'"
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def wal_bytes(system: System) -> int:
    """Return how much the server has written to its log since it was made."""
    with psycopg.connect(system.server.url) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0


def server_cpu_s(system: System) -> float:
    """Return the CPU time of the server, with that of its processes that have ended."""
    assert system.server.process is not None
    top = psutil.Process(system.server.process.pid)
    own = top.cpu_times()
    return float(own.children_user + own.children_system + cpu_s([top, *top.children()]))


def worker_cpu_s(system: System) -> float:
    """Return the CPU time of the workers of all hosts."""
    return cpu_s(system.processes(), "orpheus.worker")


def cpu_s(processes: Iterable[psutil.Process], module: str = "") -> float:
    """Return the CPU time of those processes that run a module; of ended ones, nothing."""
    total_s = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if module in " ".join(process.cmdline()):
                times = process.cpu_times()
                total_s += times.user + times.system
    return total_s
