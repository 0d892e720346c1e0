"""Frees leases of dead processes that appear only after the process was recorded as ended.

A database server finishes a commit even if the process that sent it has been killed. So a worker
may get leases after its death; it has entered none of their jobs. The leases would expire, and
other hosts, which cannot read its crash cell, would count that against the jobs.
So the supervisor keeps the cell, and looks for such leases until they would have expired. At its
own end it waits a moment for those of a worker that was killed just before.
"""

from collections import deque
from typing import NamedTuple

from orpheus.shared.logs import get_logger
from orpheus.shared.process.crash_cell import CellState, read_cell, remove_cell
from orpheus.shared.storage import Store
from orpheus.supervisor.policy.slot import ProcessEnded

log = get_logger()

_LIKELY_S = 1.0
"""Longer than most commits take."""
_NOTHING_ENTERED = CellState(token=0, running=False)


class _Watched(NamedTuple):
    since_s: float
    until_s: float
    ended: ProcessEnded


class LateLeases:
    """The processes that died lately, and until when to look for leases of theirs."""

    def __init__(self) -> None:
        self._watched: deque[_Watched] = deque()

    def watch(self, ended: ProcessEnded, now_s: float, for_s: float) -> None:
        """Look for leases of a process for some time (time.monotonic), then remove its cell."""
        self._watched.append(_Watched(now_s, now_s + for_s, ended))

    def look(self, store: Store, now_s: float) -> list[int]:
        """Free the leases that are there by now; return the ids of their jobs.

        Raises StorageError, and may then be called again.
        """
        jobs = [job_id for watched in self._watched for job_id in _free(store, watched.ended)]
        while self._watched and self._watched[0].until_s <= now_s:
            remove_cell(store.state.cell(self._watched.popleft().ended.incarnation))
        if jobs:
            log.info("late_leases_freed", jobs=jobs)
        return jobs

    def are_likely(self, store: Store, now_s: float) -> bool:
        """Return whether a worker was just killed: few that end by themselves leave a cell."""
        return any(
            now_s < watched.since_s + _LIKELY_S
            and store.state.cell(watched.ended.incarnation).exists()
            for watched in self._watched
        )


def cell_of(store: Store, ended: ProcessEnded) -> CellState | None:
    """Return what the crash cell of a process that has ended says; None if that is not known.

    A worker that has ended by itself removes it only if no lease that it knew of is left.
    """
    path = store.state.cell(ended.incarnation)
    if ended.last_exit.code == 0 and not path.exists():
        return _NOTHING_ENTERED
    return read_cell(path)


def _free(store: Store, ended: ProcessEnded) -> list[int]:
    if not store.leases.jobs_of(ended.incarnation):
        return []
    return store.leases.free(
        ended.incarnation,
        cell_of(store, ended),
        was_stopped=True,  # its death has been counted
        evidence=ended.last_exit.reason,
    )
