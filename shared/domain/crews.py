"""The workers of a pool, as far as they tell why a job does not start."""

from collections.abc import Iterable, Sequence

import msgspec

from orpheus.shared.domain.serving import serves

NOTHING_RUNS = "nothing runs; `orpheus` starts it"
MOST_NAMED = 5
"""At most so many jobs or slots that hold a job back are named."""
_MOST_IN_A_LINE = 2
"""So many slots of a pool are told in a line of a list."""


class ReadyWorker(msgspec.Struct, frozen=True):
    """A worker that leases jobs. It has `places`, each for one running job."""

    name: str
    """Its slot, with its host if there are several."""
    incarnation: str
    places: int = 1
    jobs: int = 0
    """How many it has leased and not reported."""
    runs_alone: bool = False
    """It runs one job alone, as that crashed before: no other place of it is free."""
    up_s: float | None = None
    """For how long it has been up, if that is known."""

    @property
    def free(self) -> int:
        """How many of its places are free."""
        return 0 if self.runs_alone else max(0, self.places - self.jobs)


class Crew(msgspec.Struct, frozen=True):
    """The workers of a pool."""

    pool: str
    queues: Sequence[str]
    ready: Sequence[ReadyWorker] = ()
    others: Sequence[str] = ()
    """What its other slots do: "default-2 is in backoff: exited with code 1, starts in 5 s"."""
    nothing_runs: bool = False
    """There is no process of Orpheus at all."""
    moved: str = ""
    """Where the database was moved to, so that nothing can be started on it; empty: it was not."""
    scaled_to_0: str = ""
    """Who did that: "by cli:ada 5 min ago (night load)"; empty: nobody, or there are slots."""

    @property
    def places(self) -> int:
        """How many jobs its ready workers run at once."""
        return sum(one.places for one in self.ready)

    @property
    def free(self) -> int:
        """How many of these places are free."""
        return sum(one.free for one in self.ready)

    def serves(self, queue: str) -> bool:
        """Return whether its workers lease jobs of `queue`."""
        return serves(self.queues, queue)

    def unready(self, most: int = MOST_NAMED, *, with_pool: bool = False) -> str:
        """Return why no worker is ready: what its slots do, at most so many, or why it has none.

        `with_pool`: tell the pool where no name of a slot tells it.
        """
        if self.others:
            more = len(self.others) - most
            also = [f"{more:,} more slot{'s are' if more > 1 else ' is'} not ready"] * (more > 0)
            return "; ".join([*self.others[:most], *also])
        if self.nothing_runs:
            return nothing_runs(self.moved)
        if self.scaled_to_0:
            return f"{f'pool {self.pool} is ' if with_pool else ''}scaled to 0 {self.scaled_to_0}"
        return f"{f'pool {self.pool}' if with_pool else 'it'} has no workers"


def nothing_runs(moved: str) -> str:
    """Return what to do if there is no process of Orpheus; `moved`: as of `Crew`."""
    return f"nothing runs: {moved}" if moved else NOTHING_RUNS


def unready_text(queue: str, crews: Iterable[Crew]) -> str:
    """Return why no worker is ready, of each pool that serves a queue and lacks one: a clause."""
    lacking = (crew for crew in crews if crew.serves(queue) and not crew.ready)
    return "; ".join(crew.unready(_MOST_IN_A_LINE, with_pool=True) for crew in lacking)


def places_for(serving: Iterable[Crew], max_running: int) -> int:
    """Return how many jobs of a queue these crews run at once; `max_running` 0: no limit."""
    places = sum(crew.places for crew in serving)
    return min(places, max_running or places)
