"""Whether `why` is true: nothing is said to hold back the job that is leased next, and if no job is
leased, something is said to hold back each.

The lease is rolled back, so that a schedule goes on as if nobody had asked.
"""

from orpheus.shared.domain.jobs import Holder
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.explain.facts import Facts, read, read_job
from orpheus.shared.explain.reasons import of_job
from orpheus.shared.storage import Store
from tests.explained import DEAD_AFTER_S, worker
from tests.simulation.histories import check
from tests.simulation.world import World

_NOBODY = Holder("pool-1", "onlooker", 1)
_WAITING = "SELECT id FROM jobs WHERE status IN ('pending', 'blocked')"


class _RolledBack(Exception):
    pass


def facts_of(store: Store, served: tuple[str, ...], places: int) -> Facts:
    """Return the facts of a pool with this number of idle workers."""
    workers = [worker(f"pool-{n}") for n in range(places)]
    return read(store, workers, {"pool": served}, DEAD_AFTER_S)


def is_told_truly(runs: set[int], held: set[int], leased: set[int]) -> bool:
    """`runs`: jobs that nothing is said to hold back; `held`: the others."""
    return (bool(leased) or not runs) and not held & leased


def told_of(store: Store, facts: Facts, ids: list[int]) -> tuple[set[int], set[int]]:
    """Return which of these jobs nothing holds back but their turn, and which something does."""
    held = {id for id in ids if of_job(facts, read_job(store, id))}
    return {*ids} - held, held


def why_tells_what_is_leased_next(world: World) -> None:
    """Ask why of every waiting job, and lease one; nothing if another process is writing."""
    store = world.onlooker
    if world.look("SELECT 1 FROM queues WHERE sweep_after IS NOT NULL") or store.keys.opened():
        return  # whose key has room is not known to leases either, before they look at it
    runs, held = told_of(store, facts_of(store, ("*",), 1), [id for (id,) in world.look(_WAITING)])
    try:
        leased = _lease_and_undo(world)
    except DatabaseBusy:
        return
    check(is_told_truly(runs, held, leased), "why: another job is leased next", runs, leased)


def _lease_and_undo(world: World) -> set[int]:
    store, leased = world.onlooker, set[int]()
    try:
        with store.write(durable=False):
            leased |= {one.job_id for one in store.leases.lease(_NOBODY, ("*",), 1, 1_000)}
            raise _RolledBack
    except _RolledBack:
        return leased
