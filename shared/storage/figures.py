"""Figures and facts about jobs and queues, as the storage reads them: what a backend returns."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.jobs import Dependency, Job, Outcome, Status
from orpheus.shared.domain.quarantine import Quarantine
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.domain.steps import Step
from orpheus.shared.storage.data import Pause

LATELY_MINUTES = 5
"""Lately means in this minute, or in this number of minutes before it."""


class Latency(NamedTuple):
    """Percentiles over the newest 1,000 jobs that ended, in seconds; None before the first one."""

    p50_s: float | None
    p95_s: float | None


class Flow(msgspec.Struct, frozen=True):
    """How many jobs of a queue came and ended per minute lately, and how long one runs."""

    in_per_minute: float = 0.0
    out_per_minute: float = 0.0
    run_s: float | None = None
    """The mean of those done in the last quarter of an hour; None: none was."""


class LatelyEnded(NamedTuple):
    """How many jobs ended since the beginning of a minute: exact, by status, and per minute."""

    since_ms: int
    by_status: Mapping[Status, int]
    per_minute: float


class Minute(msgspec.Struct, frozen=True):
    """Jobs that ended in one minute; `at_ms` is when it began."""

    at_ms: int
    done: int
    failed: int
    cancelled: int


class Standstill(NamedTuple):
    """The database cannot be written: a process holds its write lock, or `why`."""

    for_s: float | None
    """How long nothing has been written; None: unknown, as the clock was set back since."""
    pid: int | None
    """That process; None: it cannot be seen from here, for example from another container."""
    command: str = ""
    """What it runs, if that is known."""
    why: str = ""
    """What else keeps everybody from writing: the disk is full, the file was moved away."""


class NextJob(msgspec.Struct, frozen=True):
    """A job that could be leased, with what may hold it back for longer than a moment."""

    queue: str
    type: str = ""
    key: str | None = None
    quarantine: Quarantine | None = None
    """The quarantine of its type, if that holds it back."""
    lacks_code: str = ""
    """No ready worker has the code that can read it: the `newer`, or `other` code."""
    key_room: Room = FREE
    """The limits of its key."""
    holders: Sequence[int] = ()
    """The first of the running jobs that fill its queue, or its key."""


class DueInQueue(msgspec.Struct, frozen=True):
    """The due jobs of a queue."""

    jobs: int = 0
    """How many: without those that a quarantine, or the lack of a worker with their code, holds."""
    since_ms: int | None = None
    """Since when the oldest of the first ones waits."""
    first: NextJob | None = None
    """The next job to be leased, or else a job that is held back."""


class JobFacts(msgspec.Struct, frozen=True):
    """What the database knows of what holds a job back."""

    job: Job
    next: NextJob
    is_due: bool = False
    crashes: int = 0
    last_outcome: Outcome | None = None
    waits_for: int = 0
    """How many jobs and signals it waits for; `dependencies` are the first of the jobs."""
    dependencies: Sequence[Dependency] = ()
    wait: Step | None = None
    """The last sleep, wait for a signal or gather of a durable function."""
    children_left: int = 0
    """How many of the children of a gather have not ended."""
    cancelled: Pause | None = None
    """Who cancelled it, as far as the audit log says."""
    leased_by: str | None = None
    """The incarnation that has leased it."""
    leased_before: Sequence[int] = ()
    """Of a leased job: the jobs that its worker has leased before it and not finished."""
