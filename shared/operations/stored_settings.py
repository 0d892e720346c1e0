"""Write the configured queues, schedules and alerts into the database, and run the schedules.

The supervisor does this; without one, a worker that runs alone does. The job of a schedule is made
here, for a tick or for an operator, and is checked when the configuration is.
"""

import json
from collections.abc import Iterator, Mapping
from math import inf

from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import ConfigurationError, InvalidJob
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.alerts import refused_alerts
from orpheus.shared.storage import MakeJob, Store, TypeRow

log = get_logger()


def write_settings(store: Store, settings: StoredSettings) -> None:
    """Write the limits of queues, schedules and alerts. The job types must be stored already.

    Raises ConfigurationError, which names each schedule and alert whose job would not be accepted;
    then nothing is written.
    """
    if settings.schedules or settings.alerts:
        refused = refused_entries({row.name: row for row in store.types.all()}, settings)
        if refused:
            raise ConfigurationError(*(f"{table}: {why}" for (table, _), why in refused.items()))
    store.events.last_seq()  # numbers the events so far, which new rules of alerts do not count
    with store.write(durable=False):
        store.queues.configure(settings.queues)
        store.schedules.configure(settings.schedules)
        store.alerts.configure(settings.alerts)


def fire_schedules(store: Store, settings: StoredSettings) -> float:
    """Enqueue the jobs of every due tick, and return the seconds until the next tick.

    A tick whose job is not accepted any more (its type has changed) is skipped and logged.
    """

    def make_or_log(schedule: ScheduleDefinition) -> NewJob | None:
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


def job_maker(store: Store, defaults: JobDefaults) -> MakeJob:
    """Return a function that makes a schedule's job. It raises InvalidJob."""

    def make_job(schedule: ScheduleDefinition) -> NewJob:
        return _job_of(schedule, {row.name: row for row in store.types.all()}, defaults)

    return make_job


def refused_schedules(
    types: Mapping[str, TypeRow], settings: StoredSettings
) -> Iterator[tuple[tuple[str, int], str]]:
    """Yield each schedule whose job would not be accepted, by table and index, and why."""
    for index, schedule in enumerate(settings.schedules):
        try:
            _job_of(schedule, types, settings.defaults)
        except InvalidJob as error:
            yield ("schedules", index), f"{schedule.name!r} cannot make its job: {error}"


def _job_of(
    schedule: ScheduleDefinition, types: Mapping[str, TypeRow], defaults: JobDefaults
) -> NewJob:
    from orpheus.shared.job_types.admission import prepare_job  # noqa: PLC0415 - 4 MB, seldom used

    return prepare_job(
        types,
        defaults,
        type=schedule.type,
        payload=json.loads(schedule.payload),
        queue=schedule.queue,
        priority=schedule.priority,
    )


def refused_entries(
    types: Mapping[str, TypeRow], settings: StoredSettings
) -> dict[tuple[str, int], str]:
    """Return why the job of a schedule or an alert would not be accepted, by table and index."""
    return dict([*refused_schedules(types, settings), *refused_alerts(types, settings)])
