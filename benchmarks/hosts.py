"""Several hosts on one PostgreSQL: how fast they drain no-op jobs together.

The hosts are supervisors with a name and a folder of their own, with one worker each. All of them
and the server share the processors of this machine, so the figures show what the database allows,
not what as many machines would reach.
"""

import time
from contextlib import suppress
from dataclasses import replace
from tempfile import TemporaryDirectory

import psutil
import psycopg

from benchmarks.catalog import BY_NAME, ON_POSTGRESQL
from benchmarks.drain import from_commit
from benchmarks.rows import HOSTS
from benchmarks.run import Run
from benchmarks.servers import postgresql
from benchmarks.systems import System, running
from orpheus.shared.storage import open_store

JOBS = 10_000
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
        with run.trying(ON_POSTGRESQL, "the sequencer"):
            number_events(run)


def drain(run: Run, hosts: int) -> None:
    jobs = run.number(JOBS)
    entry = replace(BY_NAME[ON_POSTGRESQL], variant=f"hosts={hosts} pools.default.workers=1")
    with running(entry, WARM + jobs) as system:
        written, used_s = wal_bytes(system), server_cpu_s(system)
        system.ask("many", 0, WARM)
        _, rate = from_commit(system, WARM, jobs)
        system.effects.check(0, WARM + jobs)
        written, used_s = wal_bytes(system) - written, server_cpu_s(system) - used_s
    run.results.add(f"hosts_{hosts}", ON_POSTGRESQL, rate)
    run.results.add(f"wal_{hosts}", ON_POSTGRESQL, written / (WARM + jobs) / 1000)
    run.results.add(f"cpu_{hosts}", ON_POSTGRESQL, used_s / (WARM + jobs) * 1e6)


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


def wal_bytes(system: System) -> int:
    """Return how much the server has written to its log since it was made."""
    with psycopg.connect(system.server.url) as connection:
        row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0


def server_cpu_s(system: System) -> float:
    """Return the CPU time of the server, with that of its processes that have ended."""
    assert system.server.process is not None
    top = psutil.Process(system.server.process.pid)
    living = []
    for process in top.children():
        with suppress(psutil.NoSuchProcess):
            living.append(process.cpu_times())
    own = top.cpu_times()
    ended_s = own.children_user + own.children_system
    return float(ended_s + sum(times.user + times.system for times in (own, *living)))
