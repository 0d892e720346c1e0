"""Whether anything grows under a steady load: half of what two workers can do, for half an hour.

First the drain of a backlog says what they can do. Then jobs come at half of that rate, on
PostgreSQL at a quarter of it, and are kept for a minute. After two minutes everything should stay
as it is: the size of the database and of its log, the memory of each process, how late jobs start,
and how many jobs have outlived their time. What the first fifth of the time shows is compared with
the last.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import apsw
import psutil
import psycopg

from benchmarks.catalog import BY_NAME, ON_POSTGRESQL, ORPHEUS
from benchmarks.pickup import percentile
from benchmarks.rows import STEADY
from benchmarks.run import Run
from benchmarks.systems import System, running
from benchmarks.tables import as_text, number
from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, database_path, open_store

MINUTES = 30
SETTLES_S = 120.0
KEPT_S = 60
EVENTS = 100_000
DRAINED = {ORPHEUS: 150_000, ON_POSTGRESQL: 60_000}
"""Several seconds of work: a burst ends before the checkpoints and vacuums that it causes."""
SHARE = {ORPHEUS: 0.5, ON_POSTGRESQL: 0.25}
"""Of what they can do. PostgreSQL's vacuums and the deletion of old jobs need the cores too."""
TICK_S = 0.05
LOOK_EVERY_S = 5
"""Counting expired jobs takes time of the machine that is measured."""
PROBE_EVERY = 3
"""After so many ticks, the start of one job is timed."""
PARTS = 5
EXPIRED = "SELECT count(*) FROM {} WHERE status = 'done' AND finished_at_ms < %s"
NOISE = {"log_mb": 4.0, "lag_s": 0.1, "pick_up_p50_ms": 1.0, "pick_up_p99_ms": 20.0, "expired": 0.0}
"""What both figures are raised by: below this, a ratio measures the machine. Of `expired`: the jobs
of two seconds, as they are deleted once a second."""


@dataclass
class Part:
    """What was seen in a part of the time, by the name of the figure."""

    seen: dict[str, list[float]] = field(default_factory=dict)
    pick_ups: list[tuple[int, float]] = field(default_factory=list)
    """The job, and when it was stored."""

    def note(self, name: str, value: float) -> None:
        self.seen.setdefault(name, []).append(value)

    def figures(self, system: System) -> dict[str, float]:
        times = sorted(system.effects.time_of(n) - stored_s for n, stored_s in self.pick_ups)
        return {
            **{name: statistics.mean(values) for name, values in self.seen.items()},
            "pick_up_p50_ms": percentile(times, 0.5) * 1000,
            "pick_up_p99_ms": percentile(times, 0.99) * 1000,
        }


@dataclass
class Load:
    """Submits jobs at a rate, and looks at the system meanwhile."""

    system: System
    store: Store
    per_second: float
    probes: int = 0

    def run(self, seconds: float) -> Part:
        """Go on for so long; return what was seen."""
        part, began_s = Part(), time.monotonic()
        sent = ticks = looked = 0
        while (passed_s := time.monotonic() - began_s) < seconds:
            new = int(passed_s * self.per_second) - sent
            self.store.jobs.submit_many([NewJob("nothing")] * new)
            sent, ticks = sent + new, ticks + 1
            if ticks % PROBE_EVERY == 0:
                self.store.jobs.submit(NewJob("effect", payload=f'{{"n":{self.probes}}}'))
                part.pick_ups.append((self.probes, time.monotonic()))
                self.probes += 1
            if passed_s >= looked * LOOK_EVERY_S:
                looked += 1
                self.look(part)
            time.sleep(max(0.0, began_s + ticks * TICK_S - time.monotonic()))
        wait_until_done(self.store)
        return part

    def look(self, part: Part) -> None:
        maintenance = self.store.maintenance
        part.note("database_mb", maintenance.database_bytes() / 1e6)
        part.note("log_mb", maintenance.wal_bytes() / 1e6)
        part.note("lag_s", self.store.waiting.oldest_due_s() or 0.0)
        part.note("expired", expired(self.system))
        for slot in self.store.processes.slots():
            if slot.pid:
                part.note(f"{slot.slot}_mb", psutil.Process(slot.pid).memory_info().rss / 1e6)


def measure(run: Run) -> None:
    for name in (ORPHEUS, ON_POSTGRESQL):
        if name in {entry.name for entry in run.entries}:
            with run.trying(name, "steady"):
                steady(run, name)


def steady(run: Run, name: str) -> None:
    part_s = MINUTES * 60 * run.size / PARTS
    probes = int((SETTLES_S + PARTS * part_s + 60) / TICK_S / PROBE_EVERY)
    with started(name, probes) as (system, store):
        load = Load(system, store, drained_per_second(store, DRAINED[name]) * SHARE[name])
        load.run(SETTLES_S)
        parts = [load.run(part_s) for _ in range(PARTS)]
        first, last = parts[0].figures(system), parts[-1].figures(system)
    print(f"\n{name}: {load.per_second:,.0f} jobs/s, fifths of {part_s:.0f} s", file=sys.stderr)
    print(as_text(table(first, last, load.per_second)), file=sys.stderr)
    for figure in first:
        if figure in STEADY:
            grown = ratio(figure, first[figure], last[figure], load.per_second)
            run.results.add(f"steady_{figure}", name, grown)


def ratio(figure: str, first: float, last: float, per_second: float) -> float:
    noise = 2 * per_second if figure == "expired" else NOISE.get(figure, 0.0)
    return (last + noise) / (first + noise) if first + noise else 1.0


def table(first: dict[str, float], last: dict[str, float], per_second: float) -> list[list[str]]:
    rows = [["", "first fifth", "last fifth", "with the noise, last ÷ first"]]
    for figure, before in first.items():
        now = last[figure]
        grown = number(ratio(figure, before, now, per_second))
        rows.append([figure, number(before), number(now), grown])
    return rows


@contextmanager
def started(name: str, probes: int) -> Iterator[tuple[System, Store]]:
    """Start a whole Orpheus with two workers, and wait until all of it is ready."""
    entry = BY_NAME[name]
    settings = f"retention.done={KEPT_S} retention.events={EVENTS} jobs.max_retries=0"
    with (
        running(replace(entry, variant=settings), probes) as system,
        closing(open_store(url_of(system), create=True, pools={"default": ("*",)})) as store,
    ):
        system.start_workers()
        system.wait(lambda: are_ready(store))
        yield system, store


def are_ready(store: Store) -> bool:
    slots = store.processes.slots()
    return len(slots) == 4 and all(slot.state == "ready" for slot in slots)


def drained_per_second(store: Store, jobs: int) -> float:
    """Return how many jobs a second two workers finish."""
    store.jobs.submit_many([NewJob("nothing")] * jobs)
    began_s = time.monotonic()
    wait_until_done(store)
    return jobs / (time.monotonic() - began_s)


def wait_until_done(store: Store) -> None:
    while any(store.stats.counts()[status] for status in (Status.PENDING, Status.IN_PROGRESS)):
        time.sleep(0.02)


def expired(system: System) -> int:
    """Return how many jobs have outlived their time."""
    before_ms = int((time.time() - KEPT_S) * 1000)
    if system.server.url:
        with psycopg.connect(system.server.url) as server:
            row = server.execute(EXPIRED.format("orpheus.jobs"), (before_ms,)).fetchone()
    else:
        path = database_path(url_of(system))
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as file:
            row = file.execute(EXPIRED.format("jobs").replace("%s", "?"), (before_ms,)).fetchone()
    return int(row[0]) if row else 0


def url_of(system: System) -> str:
    return system.server.url or f"sqlite:///{system.folder}/data/orpheus.db"
