"""Whether a lease heeds what is quarantined, read in its own transaction."""

from collections.abc import Collection

from orpheus.shared.storage import Store
from tests.simulation.histories import check

_RUNNING = (
    "SELECT id FROM jobs JOIN quarantines ON quarantines.type = jobs.type "
    "WHERE released_ms IS NULL AND status = 'in_progress'"
)


def nothing_is_quarantined_of(store: Store, taken: Collection[int]) -> None:
    """`taken`: the jobs that were just leased."""
    held = [row[0] for row in store._database.all(_RUNNING) if row[0] in taken]
    check(not held, "a job of a quarantined type was leased", held)
