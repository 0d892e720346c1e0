"""Make the job of a schedule for a tick or an operator's request, and check that it can be made."""

import json
from collections.abc import Iterator, Mapping

from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import InvalidJob
from orpheus.shared.job_types.admission import prepare_job
from orpheus.shared.storage import MakeJob, Store, TypeRow


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
    return prepare_job(
        types,
        defaults,
        type=schedule.type,
        payload=json.loads(schedule.payload),
        queue=schedule.queue,
        priority=schedule.priority,
    )
