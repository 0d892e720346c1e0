"""What an edit of the configuration means for the jobs that wait."""

from collections.abc import Mapping

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.serving import left_waiting, opened
from orpheus.shared.operations.configuration import EditOutcome
from orpheus.shared.storage import Store, TypeRow


def left_by_edit(
    store: Store, outcome: EditOutcome, types: Mapping[str, TypeRow]
) -> tuple[str, ...]:
    """Return, in sentences, which jobs an edit leaves without a worker, and which queues it opens.

    Workers of other hosts may serve the queues, which is not known.
    """
    if outcome.serving is None or store.has_many_hosts:
        return ()
    before, after = outcome.serving
    if before == after:
        return ()
    counts = store.stats.counts_by_queue()
    pending = {queue: by_status[Status.PENDING] for queue, by_status in counts.items()}
    left = left_waiting(before, after, pending, {row.name: row.queue for row in types.values()})
    return (*left, *opened(before, after, pending, store.queues.paused_by_hand()))
