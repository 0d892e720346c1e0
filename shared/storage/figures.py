"""Figures of the jobs that come and end, as the storage counts them: what a backend returns."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.jobs import Status


class Latency(NamedTuple):
    """Percentiles over the newest 1,000 jobs that ended, in seconds; None before the first one."""

    p50_s: float | None
    p95_s: float | None


class Flow(msgspec.Struct, frozen=True):
    """How many jobs of a queue were submitted, and how many ended, per minute lately."""

    submitted_per_minute: float = 0.0
    ended_per_minute: float = 0.0
    came_for_s: float = 0.0
    """The time from the first to the last that was submitted."""
    silent_s: float = 0.0
    """The time since the last one."""


class LatelyEnded(NamedTuple):
    """How many jobs ended since the beginning of a minute: exact, by status, and per minute."""

    since_ms: int
    by_status: Mapping[Status, int]
    per_minute: float


class DueInQueue(NamedTuple):
    """How many jobs of a queue are due now, and when the next one is; None: it is not known."""

    jobs: int
    next_ms: int | None = None


class Minute(msgspec.Struct, frozen=True):
    """Jobs that ended in one minute; `at_ms` is when it began."""

    at_ms: int
    done: int
    failed: int
    cancelled: int
