"""The progress of the running jobs. It is not stored as events, so differences are sent.

Listeners get only the jobs whose progress differs from what was sent last. The events of a job that
has ended tell the rest.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from orpheus.api.stream.messages import EncodedEvent
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Job
from orpheus.shared.messages.encoding import encode
from orpheus.shared.messages.jobs import job_in_event_of
from orpheus.shared.storage import Store

Progress = Mapping[int, tuple[float | None, str | None]]
"""Job id -> progress and message, for the running jobs that have reported any."""


def progress_since(store: Store, known: Progress) -> tuple[Progress, list[EncodedEvent]]:
    """Return the progress now, and an event for each job whose progress is not as `known`."""
    running = sorted(store.jobs.running().values(), key=lambda job: -job.id)
    now: Progress = {
        job.id: (job.progress, job.message)
        for job in running
        if job.progress is not None or job.message is not None
    }
    changed = [id for id, value in now.items() if known.get(id) != value]
    return now, [_encoded(store.jobs.get(id)) for id in changed]


def _encoded(job: Job) -> EncodedEvent:
    event = {
        "at": datetime.now(UTC),
        "kind": Kind.JOB_PROGRESS,
        "job": job_in_event_of(job),
    }
    return EncodedEvent(None, job.id, Kind.JOB_PROGRESS, encode(event).decode())
