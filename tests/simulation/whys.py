"""Whether `why` is true: of the jobs that it says nothing holds back, the first are leased next.

The lease is rolled back, so that a schedule goes on as if nobody had asked.
"""

from collections import Counter
from collections.abc import Iterable

from orpheus.shared.domain.jobs import Holder
from orpheus.shared.domain.rooms import Room
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.explain.facts import Facts, read, read_job
from orpheus.shared.explain.reasons import of_job
from orpheus.shared.storage import Store
from tests.explained import DEAD_AFTER_S, worker
from tests.simulation.histories import check
from tests.simulation.options import OVERDUE
from tests.simulation.world import World

_NOBODY = Holder("pool-1", "onlooker", 1)
_WAITING = "SELECT id FROM jobs WHERE status IN ('pending', 'blocked')"


class _RolledBack(Exception):
    pass


def facts_of(store: Store, served: tuple[str, ...], places: int) -> Facts:
    """Return the facts of a pool with this number of idle workers."""
    workers = [worker(f"pool-{n}") for n in range(places)]
    return read(store, workers, {"pool": served}, DEAD_AFTER_S, 30 * 86_400.0)


def told_of(store: Store, facts: Facts, ids: Iterable[int], places: int) -> set[int]:
    """Return which of these jobs are leased next, as nothing holds them back and it is their turn.

    Each of them takes room of its queue and its key from those after it.
    """
    jobs = [job for id in ids if not of_job(facts, job := read_job(store, id))]
    jobs.sort(key=lambda job: (-job.job.priority, job.job.run_at_ms, job.job.id))
    runs, taken = set[int](), Counter[tuple[str, str | None]]()
    for job in jobs:
        name, key = job.job.queue, job.next.key
        rooms: dict[tuple[str, str | None], Room] = {(name, None): facts.queues[name].room}
        if key is not None:
            rooms[name, key] = job.next.key_room
        has_room = all(room.left is None or taken[of] < room.left for of, room in rooms.items())
        if has_room and len(runs) < places:
            runs.add(job.job.id)
            taken.update(rooms.keys())
    return runs


def why_tells_what_is_leased_next(world: World) -> None:
    """Ask why of every waiting job, and lease one; nothing if another process is writing."""
    store = world.onlooker
    if world.look("SELECT 1 FROM queues WHERE sweep_after IS NOT NULL") or store.keys.opened():
        return  # whose key has room is not known to leases either, before they look at it
    if world.look(OVERDUE, store.clock.wall_ms()):
        return  # a lease meets these first and takes nothing
    ids = [id for (id,) in world.look(_WAITING)]
    runs = told_of(store, facts_of(store, ("*",), 1), ids, 1)
    try:
        leased = _lease_and_undo(world)
    except DatabaseBusy:
        return
    check(runs == leased, "why: another job is leased next", runs, leased)


def _lease_and_undo(world: World) -> set[int]:
    store, leased = world.onlooker, set[int]()
    try:
        with store.write(durable=False):
            leased |= {one.job_id for one in store.leases.lease(_NOBODY, ("*",), 1, 1_000)}
            raise _RolledBack
    except _RolledBack:
        return leased
