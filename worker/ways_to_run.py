"""Assembles what runs the jobs: one at a time in the main thread, or several at once in others.

The parts of the second way are imported only by workers that use it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.jobs import Holder
from orpheus.shared.job_types.registry import JobType
from orpheus.shared.operations.upkeep import Upkeep
from orpheus.shared.process.crash_cell import Cell, CellOfMany
from orpheus.shared.process.last_lines import LineRing
from orpheus.shared.storage import Store
from orpheus.worker.attempt.alarm import Alarm
from orpheus.worker.attempt.around import Around
from orpheus.worker.attempt.context import JobQueries
from orpheus.worker.attempt.executor import Executor
from orpheus.worker.attempt.folder import Folder
from orpheus.worker.attempt.job_log import Capture, JobLog
from orpheus.worker.attempt.meter import Meter
from orpheus.worker.attempt.stray_output import StrayOutput
from orpheus.worker.control.control_thread import ControlThread
from orpheus.worker.leasing.concurrent_leases import ConcurrentLeases
from orpheus.worker.leasing.held_leases import HeldLeases
from orpheus.worker.leasing.loop import Loop
from orpheus.worker.leasing.renewal import RenewalThread

if TYPE_CHECKING:
    from orpheus.worker.attempt.command import CommandType


class Parts(NamedTuple):
    """What the main loop of a worker is made of."""

    settings: WorkerHandover
    holder: Holder
    store: Store
    held: HeldLeases
    control: ControlThread
    renewal: RenewalThread
    stray: StrayOutput
    capture: Capture
    upkeep: Upkeep | None


def new_leases(settings: WorkerHandover, cell_file: Path, ring: LineRing) -> HeldLeases:
    """Return an empty HeldLeases with a new crash cell. Raises as `create_mapped_file` does."""
    places = settings.concurrency
    if places == 1:
        return HeldLeases(Cell.create(cell_file), ring)
    return ConcurrentLeases(CellOfMany.create(cell_file, places), ring, places)


def log_of_running_job(held: HeldLeases) -> Callable[[], JobLog | None]:
    """Return a function that finds the log of the job whose code calls it; None: no job runs."""

    def of_the_only_job() -> JobLog | None:
        running = held.running  # read once: another thread may set it to None
        return None if running is None else running.job_log()

    if not isinstance(held, ConcurrentLeases):
        return of_the_only_job
    from orpheus.worker.attempt.current import current_attempt  # noqa: PLC0415

    def of_the_current_job() -> JobLog | None:
        attempt = current_attempt.get() or held.only_attempt()
        return attempt.job_log() if attempt is not None and held.is_running(attempt) else None

    return of_the_current_job


def new_loop(
    parts: Parts,
    types: Mapping[str, JobType],
    commands: "Mapping[str, CommandType]",
    queries: JobQueries,
    around: Around,
) -> Loop:
    """Return the main loop, with what runs its jobs. Main thread only."""
    settings, holder, store, held, control, renewal, stray, capture, upkeep = parts
    if settings.concurrency == 1:
        alarm = Alarm()
        executor = Executor(
            types, commands, alarm, queries, stray, Folder(), around, Meter(), capture
        )
        return Loop(settings, holder, store, held, control, renewal, executor, alarm, upkeep)
    from orpheus.worker.attempt.concurrent_executor import ConcurrentExecutor  # noqa: PLC0415
    from orpheus.worker.leasing.concurrent_loop import ConcurrentLoop  # noqa: PLC0415
    from orpheus.worker.queries_thread import QueriesThread  # noqa: PLC0415

    assert isinstance(held, ConcurrentLeases)
    jobs = ConcurrentExecutor(
        types,
        commands,
        QueriesThread(queries),
        settings.concurrency,
        blocked_after_s=settings.beat_interval_s,
        around=around,
        capture=capture,
    )
    return ConcurrentLoop(settings, holder, store, held, control, renewal, jobs, stray, upkeep)
