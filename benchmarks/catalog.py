"""What is compared: each system with its settings, its durability and the size of its drain."""

from dataclasses import dataclass

ORPHEUS, ALONE, CEILING = "orpheus", "one-at-a-time", "ceiling"
ON_POSTGRESQL, PROCRASTINATE = "orpheus-postgresql", "procrastinate"
BARE_FASTAPI = "bare-fastapi"


@dataclass(frozen=True)
class Entry:
    """A system as it is measured. The settings that are no default are in `settings`."""

    name: str
    title: str
    module: str
    """The module of benchmarks/subjects/."""
    durable: str
    """Whether an acknowledged job survives power loss, and by what."""
    settings: str
    jobs: int
    """How many no-op jobs it drains, so that each system takes 2 to 4 s on two cores."""
    server: str = ""
    variant: str = ""
    """What BENCHMARK_SETTINGS is for its module."""
    packages: tuple[str, ...] = ()
    in_every_round: bool = False
    """Whether a goal is a ratio to it: then it runs in every round, the others in three."""


ENTRIES = (
    Entry(ORPHEUS, "Orpheus", "orpheus", "yes", "defaults", 40_000, in_every_round=True),
    Entry(
        ALONE,
        "Orpheus, one at a time",
        "orpheus",
        "yes",
        "leases.ahead=0",
        4_000,
        variant="leases.ahead=0",
        in_every_round=True,
    ),
    Entry(
        ON_POSTGRESQL,
        "Orpheus on PostgreSQL",
        "orpheus",
        "yes",
        "defaults",
        15_000,
        server="postgresql",
        packages=("psycopg",),
        in_every_round=True,
    ),
    Entry(
        "huey",
        "Huey on SQLite",
        "huey",
        "yes",
        "defaults",
        5_000,
        packages=("huey",),
        in_every_round=True,
    ),
    Entry(
        "huey-fast",
        "Huey on SQLite without fsync",
        "huey",
        "no",
        "fsync off, polls every 1 to 5 ms",
        15_000,
        variant="fsync=off",
        packages=("huey",),
        in_every_round=True,
    ),
    Entry(
        "saq",
        "SAQ on Redis",
        "saq",
        "no",
        "10 jobs at once",
        8_000,
        server="redis",
        packages=("saq", "redis"),
    ),
    Entry(
        "dramatiq",
        "dramatiq on Redis",
        "dramatiq",
        "no",
        "8 threads, no results",
        8_000,
        server="redis",
        packages=("dramatiq", "redis"),
    ),
    Entry(
        "celery",
        "Celery on Redis",
        "celery",
        "no",
        "prefetch 64, no results, no gossip",
        3_000,
        server="redis",
        packages=("celery", "redis"),
    ),
    Entry(
        "rq",
        "RQ on Redis",
        "rq",
        "no",
        "SimpleWorker: no fork for each job",
        1_500,
        server="redis",
        packages=("rq", "redis"),
    ),
    Entry(
        PROCRASTINATE,
        "Procrastinate on PostgreSQL",
        "procrastinate",
        "yes",
        "10 jobs at once",
        1_500,
        server="postgresql",
        packages=("procrastinate", "psycopg"),
        in_every_round=True,
    ),
    Entry("dbos", "DBOS on SQLite", "dbos", "yes", "defaults", 1_000, packages=("dbos",)),
)
FUNCTIONS = (
    Entry(
        ORPHEUS, "Orpheus on SQLite", "orpheus", "yes", "defaults", 2_000, variant="type=ten_steps"
    ),
    Entry(
        "dbos",
        "DBOS on SQLite",
        "dbos",
        "yes",
        "defaults",
        100,
        variant="steps",
        packages=("dbos",),
    ),
    Entry(
        ON_POSTGRESQL,
        "Orpheus on PostgreSQL",
        "orpheus",
        "yes",
        "defaults",
        1_000,
        server="postgresql",
        variant="type=ten_steps",
        packages=("psycopg",),
    ),
    Entry(
        "dbos-postgresql",
        "DBOS on PostgreSQL",
        "dbos",
        "yes",
        "defaults",
        200,
        server="postgresql",
        variant="steps",
        packages=("dbos", "psycopg"),
    ),
    Entry(
        "absurd",
        "Absurd on PostgreSQL",
        "absurd",
        "yes",
        "4 tasks at once",
        200,
        server="postgresql",
        packages=("absurd-sdk", "absurdctl", "psycopg"),
    ),
)
"""The systems that have durable functions, of ten steps each, for the measure `functions`."""
BY_NAME = {entry.name: entry for entry in ENTRIES}
PEERS = tuple(entry.name for entry in ENTRIES if entry.module != "orpheus" or entry.server)
"""What may be left out of a run: the peers, and what needs a server."""
