"""Which queues the workers of a configuration serve, and what would wait after a change of it."""

from collections.abc import Collection, Container, Mapping

import msgspec

from orpheus.shared.domain.words import named, noun_for, plural

EVERY_QUEUE = "*"
"""Among the queues of a pool, it stands for all."""
_DEFAULT_QUEUE = "default"


class Serving(msgspec.Struct, frozen=True):
    """What a configuration serves and schedules. `queues`: those of its pools that have workers."""

    queues: frozenset[str]
    schedules: Mapping[str, tuple[str, str | None]] = msgspec.field(default_factory=dict)
    """The type and the queue of each by name; without a queue, its jobs go to that of the type."""
    paused: frozenset[str] = frozenset()
    """The queues that the configuration pauses."""

    def serves(self, queue: str) -> bool:
        """Return whether jobs of a queue would run."""
        return serves(self.queues, queue)

    def waiting(self, queue_of_type: Mapping[str, str | None]) -> dict[str, str]:
        """Return the queue of each schedule whose jobs would wait, if its type is known."""
        found = {
            name: queue or queue_of_type[type] or _DEFAULT_QUEUE
            for name, (type, queue) in self.schedules.items()
            if queue is not None or type in queue_of_type
        }
        return {name: queue for name, queue in found.items() if not self.serves(queue)}


NO_QUEUES = Serving(frozenset())
"""There is nothing to compare with: all that waits is told."""


def serves(queues: Collection[str], queue: str) -> bool:
    """Return whether a pool of these `queues` leases jobs of `queue`."""
    return EVERY_QUEUE in queues or queue in queues


def left_waiting(
    before: Serving,
    after: Serving,
    pending: Mapping[str, int],
    queue_of_type: Mapping[str, str | None],
) -> tuple[str, ...]:
    """Return, as a sentence, the jobs and schedules that a change leaves without a worker.

    What no worker served before is not the change's doing. `pending`: the jobs of each queue.
    """
    jobs = {
        queue: count
        for queue, count in pending.items()
        if count and before.serves(queue) and not after.serves(queue)
    }
    waited = before.waiting(queue_of_type).items()
    schedules = dict(sorted(after.waiting(queue_of_type).items() - waited))
    queues = sorted({*jobs, *schedules.values()})
    if not queues:
        return ()
    count = sum(jobs.values())
    parts = [plural(count, "pending job")] if count else []
    if schedules:
        parts.append(f"the {noun_for(len(schedules), 'schedule')} {named(schedules)}")
    verb = "waits" if count + len(schedules) == 1 else "wait"
    which = f"{noun_for(len(queues), 'queue')} {named(queues)}"
    return (f"No worker will serve the {which}: {' and '.join(parts)} {verb} then.",)


def opened(
    before: Serving, after: Serving, pending: Mapping[str, int], by_hand: Container[str]
) -> tuple[str, ...]:
    """Return, in sentences, the queues that a change no longer pauses, and what becomes of each.

    `by_hand`: the queues that an operator paused or resumed, which the file does not override.
    """
    names = sorted(name for name in before.paused - after.paused if name not in by_hand)
    return tuple(_opened(name, pending.get(name, 0), after) for name in names)


def _opened(name: str, count: int, after: Serving) -> str:
    if not count:
        return f"Queue {name} opens."
    jobs = plural(count, "pending job")
    if after.serves(name):
        return f"Queue {name} opens: its {jobs} can start."
    return f"Queue {name} opens, but no worker serves it: its {jobs} cannot start."
