"""What is measured, as data: the rows, the goals, and what cannot be compared."""

from dataclasses import dataclass

from benchmarks.catalog import ALONE, BARE_FASTAPI, CEILING, ON_POSTGRESQL, ORPHEUS, PROCRASTINATE

POOLS = (2, 4, 8, 16)
JOBS_MS = (1, 10, 100)
HOSTS = (1, 2, 4, 8)
SINGLE = "ceiling-1"
SCALE = "scale: "
"""How the row of a call begins, in the measure `scale`."""

STEADY = {
    "database_mb": "size of the database",
    "log_mb": "size of the write-ahead log",
    "lag_s": "wait of the job that is due longest",
    "expired": "jobs that have outlived their time",
    "supervisor_mb": "memory of the supervisor",
    "api_mb": "memory of the API",
    "default-1_mb": "memory of the first worker",
    "default-2_mb": "memory of the second worker",
    "pick_up_p50_ms": "pick-up, p50",
    "pick_up_p99_ms": "pick-up, p99",
}
"""What should stay as it is, in the measure `steady`."""


@dataclass(frozen=True)
class Row:
    """A figure that is measured, once a round."""

    title: str
    unit: str
    more_is_better: bool = False


ROWS = {
    "drain": Row("Drain of no-op jobs", "jobs/s", more_is_better=True),
    "submit_one": Row("Submit one by one", "jobs/s", more_is_better=True),
    "submit_many": Row("Submit many", "jobs/s", more_is_better=True),
    "pick_up_p50": Row("Pick-up, p50", "ms"),
    "pick_up_p99": Row("Pick-up, p99", "ms"),
    "rested_pick_up": Row("Pick-up after 8 s of idleness", "ms"),
    "idle_cpu": Row("CPU of all processes while idle", "% of a core"),
    "idle_wake_ups": Row("Wake-ups of all processes while idle", "a second"),
    "worker_rss": Row("Resident memory of a worker", "MB"),
    "post_to_start_p50": Row("POST to the handler's first line, p50", "ms"),
    "post_to_start_p99": Row("POST to the handler's first line, p99", "ms"),
    "round_trip_p50": Row("POST to a bare FastAPI application and back, p50", "ms"),
    "post": Row("POST /jobs on 32 connections", "jobs/s", more_is_better=True),
    "post_draining": Row("POST /jobs while both workers drain", "jobs/s", more_is_better=True),
    "post_beside_drain_p99": Row("A single POST while both workers drain, p99", "ms"),
    "batch": Row("POST /jobs/batch of 10,000", "jobs/s", more_is_better=True),
    "batch_delay": Row("Longest other request during a batch", "ms"),
    "post_beside_batch_p99": Row("A single POST beside batches of 10,000, p99", "ms"),
    "leased_again": Row("kill -9 to leased again", "ms"),
    "running_again": Row("kill -9 to running again", "ms"),
    "slot_ready": Row("kill -9 to the slot ready", "ms"),
    "supervisor_rss": Row("Resident memory of the supervisor", "MB"),
    "api_rss": Row("Resident memory of the API", "MB"),
    "all_ready": Row("Command to all ready", "ms"),
    "help": Row("orpheus --help", "ms"),
    "command": Row("orpheus jobs", "ms"),
    **{
        f"drain_{workers}": Row(f"Drain with {workers} workers", "jobs/s", more_is_better=True)
        for workers in POOLS
    },
    **{
        f"lock_wait_{workers}": Row(
            f"Wait for the write lock, p99.9, while {workers} workers drain", "ms"
        )
        for workers in POOLS
    },
    **{
        f"hosts_{hosts}": Row(
            f"Drain on PostgreSQL, hosts with one worker: {hosts}", "jobs/s", more_is_better=True
        )
        for hosts in HOSTS
    },
    **{
        f"wal_{hosts}": Row(f"PostgreSQL's log, submit to done, hosts: {hosts}", "KB per job")
        for hosts in HOSTS
    },
    **{
        f"cpu_{hosts}": Row(f"PostgreSQL's CPU time, hosts: {hosts}", "µs per job")
        for hosts in HOSTS
    },
    **{
        f"worker_{hosts}": Row(f"CPU time of the workers, hosts: {hosts}", "µs per job")
        for hosts in HOSTS
    },
    "three_hosts": Row(
        "Three hosts on PostgreSQL, jobs that pause for 1 ms", "× one host", more_is_better=True
    ),
    "sequencer": Row("PostgreSQL: events that get a number", "events/s", more_is_better=True),
    **{
        f"busy_{ms}_{workers}": Row(
            f"Jobs of {ms} ms, {workers} workers", "of workers ÷ duration", more_is_better=True
        )
        for ms in JOBS_MS
        for workers in POOLS
    },
    "steps": Row("Durable functions of ten steps", "steps/s", more_is_better=True),
    "begin_to_wait": Row("Functions that begin to wait", "functions/s", more_is_better=True),
    **{
        f"{figure}_{what}": Row(f"{title}, {condition}", unit)
        for what, condition in (("alone", "nothing waits"), ("waiting", "100,000 functions wait"))
        for figure, title, unit in (
            ("idle", "CPU while idle", "% of a core"),
            ("pick_up", "Pick-up, p50", "ms"),
        )
    },
    "signal_to_line": Row("Signal to the function's next line, p50", "ms"),
    "scale_lease": Row("Lease and finish with 1M + 1M jobs", "× an empty file"),
    "scale_read": Row("Slowest other call with 1M + 1M jobs", "× an empty file"),
    "scale_queues": Row("Lease and finish with 1,000 queues that have work", "× three queues"),
    "scale_keys": Row("Lease and finish with 10,000 keys behind a full one", "× 100 keys"),
    **{
        f"steady_{figure}": Row(f"Steady load: {title}", "last fifth ÷ first")
        for figure, title in STEADY.items()
    },
    "stream_p99": Row("Commit to the last of 1,000 clients, p99", "ms"),
    "stream_rss": Row("Resident memory of the API with 1,000 clients", "MB"),
}


def row(name: str) -> Row:
    """Return the row of this name."""
    if name.startswith(SCALE):
        return Row(f"{name.removeprefix(SCALE)}, with 1M + 1M jobs", "× an empty file")
    return ROWS[name]


COMPARED = (
    "drain", "submit_one", "submit_many", "pick_up_p50", "pick_up_p99", "rested_pick_up",
    "idle_cpu", "idle_wake_ups", "worker_rss",
)  # fmt: skip
"""The rows that Orpheus has in common with its peers."""


@dataclass(frozen=True)
class Goal:
    """A bound for a row of Orpheus, or for its ratio to `versus`: a row and a subject."""

    title: str
    row: str
    bound: float
    subject: str = ORPHEUS
    versus: tuple[str, str] | None = None
    at_least: bool = False


GOALS = (
    Goal("drain ÷ Huey", "drain", 15, versus=("drain", "huey"), at_least=True),
    Goal("drain ÷ Huey, fsync off", "drain", 3, versus=("drain", "huey-fast"), at_least=True),
    Goal("drain ÷ Celery", "drain", 30, versus=("drain", "celery"), at_least=True),
    Goal("drain ÷ ceiling", "drain", 0.65, versus=("drain", CEILING), at_least=True),
    Goal(
        "one at a time ÷ its ceiling", "drain", 0.6, ALONE, versus=("drain", SINGLE), at_least=True
    ),
    Goal(
        "drain on PostgreSQL ÷ Procrastinate",
        "drain",
        25,
        ON_POSTGRESQL,
        versus=("drain", PROCRASTINATE),
        at_least=True,
    ),
    Goal("pick-up on PostgreSQL, p50, ms", "pick_up_p50", 2.5, ON_POSTGRESQL),
    Goal("three hosts ÷ one, jobs of 1 ms", "three_hosts", 2.0, ON_POSTGRESQL, at_least=True),
    Goal("pick-up, p50, ms", "pick_up_p50", 1.3),
    Goal("pick-up, p99, ms", "pick_up_p99", 3.0),
    Goal("pick-up after 8 s of idleness, ms", "rested_pick_up", 3.0),
    Goal(
        "POST to start ÷ a round trip of bare FastAPI, p50",
        "post_to_start_p50",
        1.5,
        versus=("round_trip_p50", BARE_FASTAPI),
    ),
    Goal("idle: wake-ups of everything, a second", "idle_wake_ups", 8),
    Goal("idle: CPU of everything ÷ Huey", "idle_cpu", 1.0, versus=("idle_cpu", "huey")),
    Goal("POST ÷ bare FastAPI", "post", 0.8, versus=("post", BARE_FASTAPI), at_least=True),
    Goal(
        "POST while draining ÷ POST", "post_draining", 0.5, versus=("post", ORPHEUS), at_least=True
    ),
    Goal("a single POST while draining, p99, ms", "post_beside_drain_p99", 50),
    Goal("batch, jobs/s", "batch", 50_000, at_least=True),
    Goal("delay of others by a batch, ms", "batch_delay", 50),
    Goal("a single POST beside batches, p99, ms", "post_beside_batch_p99", 50),
    Goal("steps of durable functions, steps/s", "steps", 2_000, at_least=True),
    Goal("steps ÷ DBOS on SQLite", "steps", 10, versus=("steps", "dbos"), at_least=True),
    Goal("lease and finish with 1M + 1M ÷ empty", "scale_lease", 1.2),
    Goal("other calls with 1M + 1M ÷ empty", "scale_read", 1.5),
    Goal("lease and finish with 1,000 queues ÷ 3", "scale_queues", 2.0),
    Goal("lease and finish with 10,000 keys ÷ 100", "scale_keys", 1.5),
    Goal("drain of 16 workers ÷ 2", "drain_16", 0.9, versus=("drain_2", ORPHEUS), at_least=True),
    *(
        Goal(f"jobs of {ms} ms on {n} workers ÷ ideal", f"busy_{ms}_{n}", 0.9, at_least=True)
        for ms in JOBS_MS
        for n in POOLS
    ),
    *(
        Goal(f"wait for the write lock, {n} workers, p99.9, ms", f"lock_wait_{n}", 50)
        for n in POOLS
    ),
    *(
        Goal(f"steady load, {title}, last fifth ÷ first", f"steady_{figure}", 1.1)
        for figure, title in STEADY.items()
    ),
    *(
        Goal(f"the same on PostgreSQL, {title}", f"steady_{figure}", 1.1, subject=ON_POSTGRESQL)
        for figure, title in STEADY.items()
    ),
    Goal("commit to the last of 1,000 clients, p99, ms", "stream_p99", 500),
    Goal("kill -9 to leased again, ms", "leased_again", 50),
    Goal("kill -9 to running again, ms", "running_again", 200),
    Goal("kill -9 to the slot ready, ms", "slot_ready", 1_000),
    Goal("worker, MB", "worker_rss", 36),
    Goal("supervisor, MB", "supervisor_rss", 50),
    Goal("API, MB", "api_rss", 70),
    Goal("orpheus --help, ms", "help", 100),
    Goal("orpheus jobs, ms", "command", 300),
    Goal("command to all ready, ms", "all_ready", 1_500),
)

NOT_COMPARABLE = """
- The peers with Redis, and Huey with fsync off, do not promise that an acknowledged job survives
  power loss. Orpheus, Huey and DBOS on SQLite and Procrastinate do.
- Orpheus keeps the attempts and events of each job. dramatiq and Celery run without results, as
  they advise for throughput; the others keep the result.
- Orpheus runs its API and its supervisor all the time; the peers have neither. Their idle cost is
  that of two workers and of their server.
- dramatiq (8 threads), SAQ and Procrastinate (10 tasks) and DBOS (no limit) run several jobs at
  once in a process. Orpheus, Huey, Celery and RQ run one.
- DBOS regards a job as a workflow whose steps it resumes; it is no queue for small jobs.
- Redis and PostgreSQL serve several machines. Orpheus, Huey and DBOS on SQLite serve one.
"""
"""Markdown."""
