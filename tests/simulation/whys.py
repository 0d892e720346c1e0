"""Whether `why` is true: the one job that it calls runnable is the one that is leased next.

The lease is rolled back, so that a schedule goes on as if nobody had asked.
"""

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Holder
from orpheus.shared.domain.why import reasons
from orpheus.shared.errors import DatabaseBusy
from tests.simulation.histories import check
from tests.simulation.world import World

_ONE_FREE = Crew("pool", ("*",), [ReadyWorker("pool-1", "life-1")])
_NOBODY = Holder("pool-1", "onlooker", 1)
_WAITING = "SELECT id FROM jobs WHERE status IN ('pending', 'blocked')"


class _RolledBack(Exception):
    pass


def why_tells_what_is_leased_next(world: World) -> None:
    """Ask why of every waiting job, and lease one; nothing if another process is writing."""
    if world.look("SELECT 1 FROM queues WHERE sweep_after IS NOT NULL"):
        return  # whose key has room is not known to leases either, before the sweep is over
    standings = world.onlooker.standings
    runs = [
        job_id
        for (job_id,) in world.look(_WAITING)
        if not reasons(standings.of(job_id), [_ONE_FREE])
    ]
    try:
        leased = _lease_and_undo(world)
    except DatabaseBusy:
        return
    check(runs == leased, "why: another job is leased next", runs, leased)


def _lease_and_undo(world: World) -> list[int]:
    store, leased = world.onlooker, list[int]()
    try:
        with store.write(durable=False):
            leased += [one.job_id for one in store.leases.lease(_NOBODY, ("*",), 1, 1_000)]
            raise _RolledBack
    except _RolledBack:
        return leased
