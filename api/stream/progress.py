"""The progress of the running jobs. It is not stored as events, so differences are sent.

Each listener gets only the jobs whose progress differs from what it got last. A job that has
progressed again since the moment of the message is left out, as the next message covers it. So is
a job that has ended, as its events tell of it.
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


def progress_since(
    store: Store, known: Progress, until: Progress | None = None, limit: int | None = None
) -> tuple[Progress, list[EncodedEvent]]:
    """Return the progress that the listener then knows, and an event for each job that changed.

    `known`: what the listener knows; `until`: the progress at an earlier moment; None: now.
    `limit`: the most jobs to send, those that were sent longest ago; the others stay as `known`.
    """
    present = _present(store)
    now = present if until is None else until
    changed = [id for id, value in now.items() if known.get(id) != value == present.get(id)]
    if limit is not None and len(changed) > limit:
        sent_at = {id: index for index, id in enumerate(known)}
        changed = sorted(changed, key=lambda job_id: sent_at.get(job_id, -1))[:limit]
        sent = {id: now[id] for id in changed}
        kept = {id: known[id] for id in known if id in now and id not in sent}
        now = kept | sent  # in the order in which they were sent
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
        "at": datetime.now(UTC),
        "kind": Kind.JOB_PROGRESS,
        "job": job_in_event_of(job),
    }
    return EncodedEvent(None, job.id, Kind.JOB_PROGRESS, encode(event).decode())
