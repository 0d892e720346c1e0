"""The workers of a pool, as far as they tell why a job does not start."""

from collections.abc import Sequence

from orpheus.shared.records import dataclass

NOTHING_RUNS = "nothing runs; `orpheus` starts it"
MOST_NAMED = 5
"""At most so many jobs or slots that hold a job back are named."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of a pool. A worker has `concurrency` places, each for one running job."""

    pool: str
    queues: Sequence[str]
    concurrency: int
    ready: Sequence[str] = ()
    """The slots whose workers are ready."""
    free: int = 0
    """How many of their places are free."""
    alone: Sequence[str] = ()
    """Those that run one job alone, as it crashed before: no other place of them is free."""
    idle: int = 0
    """How many of them run nothing."""
    others: Sequence[str] = ()
    """What its other slots do: "default-2 is in backoff: exited with code 1, starts in 5 s"."""
    nothing_runs: bool = False
    """There is no process of Orpheus at all."""
    scaled_to_0: str = ""
    """Who did that: "by cli:ada 5 min ago (night load)"; empty: nobody, or there are slots."""
    up_s: float | None = None
    """For how long the oldest of those that are ready has been up, if that is known."""

    def serves(self, queue: str) -> bool:
        """Return whether its workers lease jobs of `queue`."""
        return "*" in self.queues or queue in self.queues

    def unready(self, most: int = MOST_NAMED) -> str:
        """Return why no worker is ready: what its slots do, at most so many, or why it has none."""
        if self.others:
            more = len(self.others) - most
            also = [f"{more:,} more slot{'s are' if more > 1 else ' is'} not ready"] * (more > 0)
            return "; ".join([*self.others[:most], *also])
        if self.nothing_runs:
            return NOTHING_RUNS
        return f"scaled to 0 {self.scaled_to_0}" if self.scaled_to_0 else "it has no workers"
