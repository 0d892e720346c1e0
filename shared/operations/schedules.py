"""The job that a schedule makes, whether its tick or an operator asks for it."""

import json

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.job_types.admission import prepare_job
from orpheus.shared.storage import MakeJob, Store


def job_maker(store: Store, defaults: JobDefaults) -> MakeJob:
    """Makes jobs of the types that `store` knows at that moment. They raise InvalidJob."""

    def make_job(schedule: ScheduleDefinition) -> NewJob:
        return prepare_job(
            {row.name: row for row in store.types.all()},
            defaults,
            type=schedule.type,
            payload=json.loads(schedule.payload),
            queue=schedule.queue,
            priority=schedule.priority,
        )

    return make_job
