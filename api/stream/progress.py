"""How far the running jobs are. It is not stored as events, so it is told as a difference.

Each listener gets only the jobs whose progress differs from what it got last. A job that has
progressed again since the moment of the message is left out: the next message covers it. So is a
job that has ended: its events tell of it.
"""

import time
from collections.abc import Mapping

import orjson

from orpheus.api.stream.messages import EncodedEvent
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Job
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store
from orpheus.shared.views.jobs import job_summary_json

Progress = Mapping[int, tuple[float | None, str | None]]
"""Job id -> progress and message, for the running jobs that have reported any."""


def progress_since(
    store: Store, told: Progress, until: Progress | None = None, limit: int | None = None
) -> tuple[Progress, list[EncodedEvent]]:
    """Return what will have been told then, and an event for each job where it is not as `told`.

    `until`: the progress at an earlier moment that is to be told; None: at present.
    `limit`: of no more jobs, those first that were told longest ago; the others stay as `told`.
    """
    present = _present(store)
    now = present if until is None else until
    changed = [id for id, value in now.items() if told.get(id) != value == present.get(id)]
    if limit is not None and len(changed) > limit:
        told_at = {id: place for place, id in enumerate(told)}
        changed = sorted(changed, key=lambda job_id: told_at.get(job_id, -1))[:limit]
        telling = {id: now[id] for id in changed}
        kept = {id: told[id] for id in told if id in now and id not in telling}
        now = kept | telling  # in the order of telling
    return now, [_encoded(store.jobs.get(id)) for id in changed]


def _present(store: Store) -> Progress:
    running = sorted(store.jobs.running().values(), key=lambda job: -job.id)
    return {
        job.id: (job.progress, job.message)
        for job in running
        if job.progress is not None or job.message is not None
    }


def _encoded(job: Job) -> EncodedEvent:
    event = {
        "at": rfc3339(time.time_ns() // 1_000_000),
        "kind": Kind.JOB_PROGRESS,
        "job": job_summary_json(job),
    }
    return EncodedEvent(None, job.id, Kind.JOB_PROGRESS, orjson.dumps(event).decode())
