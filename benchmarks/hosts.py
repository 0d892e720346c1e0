"""Several hosts on one PostgreSQL: how fast they drain no-op jobs together.

The hosts are supervisors with a name and a folder of their own, with one worker each. All of them
and the server share the processors of this machine, so the figures show what the database allows,
not what as many machines would reach.
"""

from dataclasses import replace

from benchmarks.catalog import BY_NAME, ON_POSTGRESQL
from benchmarks.drain import from_commit
from benchmarks.rows import HOSTS
from benchmarks.run import Run
from benchmarks.systems import running

JOBS = 10_000
WARM = 200


def measure(run: Run) -> None:
    for _ in range(min(run.rounds, 3)):
        for hosts in HOSTS:
            with run.trying(ON_POSTGRESQL, f"{hosts} hosts"):
                run.results.add(f"hosts_{hosts}", ON_POSTGRESQL, jobs_per_second(run, hosts))


def jobs_per_second(run: Run, hosts: int) -> float:
    jobs = run.number(JOBS)
    entry = replace(BY_NAME[ON_POSTGRESQL], variant=f"hosts={hosts} pools.default.workers=1")
    with running(entry, WARM + jobs) as system:
        _, rate = from_commit(system, WARM, jobs)
        system.effects.check(0, WARM + jobs)
    return rate
