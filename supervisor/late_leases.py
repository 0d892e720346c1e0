"""Frees the leases of dead processes that come to light only after they were freed.

Where a server commits, it goes on with a commit whose sender was killed meanwhile. So a worker may
get leases after its death. Nobody has told it of them, so it has entered none of their jobs. They
would expire, and other hosts, which cannot read its crash cell, would count that against the jobs.
So the supervisor keeps the cell, and looks for such leases until they would have expired.
"""

from collections import deque

from orpheus.shared.logs import get_logger
from orpheus.shared.process.crash_cell import read_cell, remove_cell
from orpheus.shared.storage import Store
from orpheus.supervisor.policy.slot import ProcessEnded

log = get_logger()


class LateLeases:
    """The processes that died lately, and until when to look for leases of theirs."""

    def __init__(self) -> None:
        self._watched: deque[tuple[float, ProcessEnded]] = deque()

    def watch(self, ended: ProcessEnded, until_s: float) -> None:
        """Look for leases of a process until a time (time.monotonic), and remove its cell then."""
        self._watched.append((until_s, ended))

    def look(self, store: Store, now_s: float) -> list[int]:
        """Free the leases that are there by now; return the ids of their jobs.

        Raises StorageError, and may then be called again.
        """
        jobs = [job_id for _, ended in self._watched for job_id in _free(store, ended)]
        while self._watched and self._watched[0][0] <= now_s:
            _, ended = self._watched.popleft()
            remove_cell(store.state.cell(ended.incarnation))
        if jobs:
            log.info("late_leases_freed", jobs=jobs)
        return jobs


def _free(store: Store, ended: ProcessEnded) -> list[int]:
    if not store.leases.any_of(ended.incarnation):
        return []
    return store.leases.free(
        ended.incarnation,
        read_cell(store.state.cell(ended.incarnation)),
        was_stopped=True,  # its death has been counted
        evidence=ended.last_exit.reason,
    )
