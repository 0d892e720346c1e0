"""Decides how the leases of a worker end that is dead or silent. Pure.

The crash cell (shared/process/crash_cell.py) names the job that was entered last, and those that
were running. Tokens grow in the order in which a worker enters its jobs, so it tells of each lease
whether its job was running, had run, or was not entered yet.
"""

from orpheus.shared.domain.jobs import JobError
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.storage.data import LeaseHolder


def ending_by_death(
    token: int, cell: CellState | None, *, killed_at_deadline: bool, cancel_requested: bool
) -> Ending:
    """Return why a lease of a dead worker ended; without a cell it counts as expired."""
    if cell is None:
        return Ending.EXPIRED
    running = cell.running_tokens
    if token not in running:
        return Ending.RESULT_LOST if token <= cell.token else Ending.UNENTERED
    if killed_at_deadline and (cell.overdue or len(running) == 1):
        if cell.overdue and token not in cell.overdue:
            return Ending.RELEASED  # it only ran beside the job that was the reason
        return Ending.KILLED_AT_CANCEL if cancel_requested else Ending.KILLED_AT_DEADLINE
    return Ending.CRASHED if len(running) == 1 else Ending.CRASHED_TOGETHER


def ending_by_expiry(token: int, holder: LeaseHolder) -> Ending:
    """Return why a lease ended that was not renewed in time.

    A job that its worker had not entered pays nothing for it, whatever happened to the worker.
    """
    cell = holder.cell
    if holder.is_dead:
        return ending_by_death(token, cell, killed_at_deadline=False, cancel_requested=False)
    was_entered = cell is None or token <= cell.token or token in cell.running_tokens
    return Ending.EXPIRED if was_entered else Ending.UNENTERED


def ending_by_reboot(token: int, lowest_token: int, cell: CellState | None) -> Ending:
    """Return why a lease of an earlier boot ended; `lowest_token`: of the leases of its worker.

    After power loss a cell may be older than the leases. A worker enters the first job as soon as
    it has the leases, so a cell that does not name one of them, or a later one, is too old to tell.
    Where jobs run beside each other, a job that runs for long has an old lease that says nothing
    about newer ones.
    """
    if cell is None or cell.token < lowest_token:
        return Ending.REBOOTED
    if cell.together is not None and token > cell.token:
        return Ending.REBOOTED
    return ending_by_death(token, cell, killed_at_deadline=False, cancel_requested=False)


_ERRORS = {
    Ending.CRASHED: ("WorkerCrashed", "the worker process died while it ran this job"),
    Ending.CRASHED_TOGETHER: (
        "WorkerCrashed",
        "the worker process died while it ran this job and others; it runs alone from now on",
    ),
    Ending.KILLED_AT_DEADLINE: (
        "HardTimeout",
        "the job did not stop at its timeout; its worker was killed",
    ),
    Ending.KILLED_AT_CANCEL: (
        "CancelIgnored",
        "the job did not stop when it was cancelled; its worker was killed",
    ),
    Ending.EXPIRED: ("LeaseExpired", "the lease on this job ended unseen"),
    Ending.REBOOTED: ("Rebooted", "whether the job had been entered is not known"),
    Ending.RESULT_LOST: (
        "ResultLost",
        "the job had run, but its worker died before the result was committed",
    ),
}


def error_of(ending: Ending, why: str | None, stacks: str | None = None) -> JobError | None:
    """Return the error of a job whose lease ended; `stacks`: what its worker was doing."""
    if ending not in _ERRORS:
        return None
    kind, message = _ERRORS[ending]
    return JobError(kind, message if why is None else f"{message}: {why}", stacks)
