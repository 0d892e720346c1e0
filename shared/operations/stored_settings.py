"""Write the configured queues, schedules and alerts into the database, and run the schedules.

The supervisor does this; without one, a worker that runs alone does.
"""

from math import inf

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import ConfigurationError, InvalidJob
from orpheus.shared.logs import get_logger
from orpheus.shared.storage import Store

log = get_logger()


def write_settings(store: Store, settings: StoredSettings) -> None:
    """Write the limits of queues, schedules and alerts. The job types must be stored already.

    Raises ConfigurationError, which names each schedule and alert whose job would not be accepted;
    then nothing is written.
    """
    if settings.schedules or settings.alerts:
        # Imported late: it takes 4 MB, and most configurations have neither.
        from orpheus.shared.operations.refused import refused_entries  # noqa: PLC0415

        refused = refused_entries({row.name: row for row in store.types.all()}, settings)
        if refused:
            raise ConfigurationError(*(f"{table}: {why}" for (table, _), why in refused.items()))
    with store.write(durable=False):
        store.queues.configure(settings.queues)
        store.schedules.configure(settings.schedules)
        store.alerts.configure(settings.alerts)


def fire_schedules(store: Store, settings: StoredSettings) -> float:
    """Enqueue the jobs of every due tick, and return the seconds until the next tick.

    A tick whose job is not accepted any more (its type has changed) is skipped and logged.
    """

    def make_or_log(schedule: ScheduleDefinition) -> NewJob | None:
        from orpheus.shared.operations.schedules import job_maker  # noqa: PLC0415 - as above

        try:
            return job_maker(store, settings.defaults)(schedule)
        except InvalidJob as refused:
            log.error(  # noqa: TRY400 - a traceback would not help
                "schedule_refused", schedule=schedule.name, reason=str(refused)
            )
            return None

    for name in store.schedules.correct_ticks():
        log.warning(
            "schedule_corrected",
            schedule=name,
            reason="its next tick was chosen while the clock was ahead; an earlier one is next",
        )
    store.schedules.fire_due(make_or_log)
    now_ms = store.clock.wall_ms()
    ticks_ms = (row.tick_ms for row in store.schedules.all() if not row.paused)
    return (
        min((tick_ms - now_ms for tick_ms in ticks_ms if tick_ms is not None), default=inf) / 1000
    )
