"""The queues and schedules of the configuration: written into the database, and acted on.

The supervisor does it; a worker alone does where no supervisor is at work.
"""

from math import inf

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Role
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import ConfigurationError, InvalidJob
from orpheus.shared.logs import get_logger
from orpheus.shared.storage import MakeJob, Store

log = get_logger()


def write_settings(store: Store, settings: StoredSettings) -> None:
    """Put the limits of queues and the schedules in force. The job types must be known already.

    Raises ConfigurationError, and writes nothing, if a schedule's job would not be accepted; it
    names each such schedule.
    """
    make_job = _job_maker(store, settings)
    problems = []
    for schedule in settings.schedules:
        try:
            make_job(schedule)
        except InvalidJob as refused:
            problems.append(f"schedules: {schedule.name!r} cannot make its job: {refused}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    with store.write(durable=False):
        store.queues.configure(settings.queues)
        store.schedules.configure(settings.schedules)


def fire_schedules(store: Store, settings: StoredSettings) -> float:
    """Enqueue the jobs of every tick that is due; in how many seconds the next one is.

    A tick whose job is refused by now (its type has changed) passes, and is told in the log.
    """
    make_job = _job_maker(store, settings)

    def make_or_tell(schedule: ScheduleDefinition) -> NewJob | None:
        try:
            return make_job(schedule)
        except InvalidJob as refused:
            log.error(  # noqa: TRY400 - it is no fault of ours
                "schedule_refused", schedule=schedule.name, reason=str(refused)
            )
            return None

    store.schedules.fire_due(make_or_tell)
    now_ms = store.clock.wall_ms()
    ticks_ms = (row.tick_ms for row in store.schedules.all() if not row.paused)
    return (
        min((tick_ms - now_ms for tick_ms in ticks_ms if tick_ms is not None), default=inf) / 1000
    )


def is_supervised(store: Store, beat_timeout_s: float) -> bool:
    """Whether a supervisor is at work on this database."""
    oldest_mono_ms = store.clock.monotonic_ms() - beat_timeout_s * 1000
    return any(
        record.role is Role.SUPERVISOR
        and record.boot_id == store.clock.boot_id
        and record.last_beat_mono_ms > oldest_mono_ms
        for record in store.processes.all()
    )


def _job_maker(store: Store, settings: StoredSettings) -> MakeJob:
    def make_job(schedule: ScheduleDefinition) -> NewJob:
        # Here, as it costs 4 MB, and most configurations have no schedule.
        from orpheus.shared.operations.schedules import job_maker  # noqa: PLC0415

        return job_maker(store, settings.defaults)(schedule)

    return make_job
