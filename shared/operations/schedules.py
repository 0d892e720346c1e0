"""Make the job of a schedule, for a tick or for an operator's request."""

import json

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.job_types.admission import prepare_job
from orpheus.shared.storage import MakeJob, Store


def job_maker(store: Store, defaults: JobDefaults) -> MakeJob:
    """Return a function that makes a schedule's job. It raises InvalidJob."""

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
