"""Quarantine: a job type whose jobs kill their workers again and again is held back. Pure.

Only crashes that certainly were the job's doing count: the process died, or was killed for what it
did, while it ran this job and no other. If several jobs ran, it is unknown which one did it; each
runs alone from then on, and the next time it is certain. So no type pays for what another does.
"""

from collections.abc import Sequence

import msgspec

WINDOW_MS = 600_000
"""As many crashes as `quarantine_after` says must come within this time."""
LONGEST_EVIDENCE = 500
"""Of one crash, in characters."""


class Crash(msgspec.Struct, frozen=True):
    """A death of a worker that counts against a job type. `evidence`: how the process ended."""

    job: int
    attempt: int
    worker: str
    pid: int
    at_ms: int
    evidence: str


class Quarantine(msgspec.Struct, frozen=True):
    """What holds the jobs of a type back, with its evidence, the oldest crash first.

    `is_released`: it is over, but some of its jobs are still to be let go, a few at a time.
    """

    type: str
    since_ms: int
    crashes: Sequence[Crash]
    is_released: bool = False

    @property
    def evidence(self) -> str:
        """A clause: "after crashing 5 workers in a row (last: job 7 on default-1, …)"."""
        n, last = len(self.crashes), self.crashes[-1]
        workers = "1 worker" if n == 1 else f"{n} workers in a row"
        return f"after crashing {workers} (last: job {last.job} on {last.worker}, {last.evidence})"
