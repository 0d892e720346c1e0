"""The actions of operators on jobs, queues, schedules and types, for the API and the command line.

Each that changes something has a row in the audit log, with how its target stood before and after.
Both are read in the transaction of the action.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.why import Pause
from orpheus.shared.moments import rfc3339
from orpheus.shared.operations.audit import Actor, audited
from orpheus.shared.storage import JobState, MakeJob, Store

T = TypeVar("T")


def change_job(store: Store, actor: Actor, action: str, job_id: int, verb: Callable[[], T]) -> T:
    """Act on a job by `verb`, and return what that returns. Raises NotFound, and what it raises."""
    deletes = action == "delete"

    def state_before() -> str:
        job = store.jobs.state_to_change(job_id, deletes=deletes)
        return f"{job.status}, of type {job.type}" if deletes else _in_words(store, job)

    def state_after() -> str:
        return "deleted" if deletes else _in_words(store, store.jobs.state(job_id))

    target = f"job {job_id}"
    return audited(store, actor, action, target, verb, before=state_before, after=state_after)


def delete_long_log(
    store: Store, job_id: int, before_each: Callable[[], None] = lambda: None
) -> None:
    """Delete the log of a job that is deleted next, in small transactions, if it is long.

    One transaction for a million lines would keep others from writing for seconds. A process that
    ends between two leaves the rest of the log. A job that cannot be deleted keeps its whole log.
    `before_each` is called before each transaction; what it raises ends this.
    """
    if store.jobs.with_long_logs([job_id]):
        before_each()
        while store.jobs.shorten_log(job_id):
            before_each()


def _in_words(store: Store, job: JobState) -> str:
    if job.status is Status.IN_PROGRESS and job.cancel_requested:
        return "in progress, asked to stop"
    if job.status is Status.PENDING and job.run_at_ms > store.clock.wall_ms():
        return f"pending until {rfc3339(job.run_at_ms)}"
    return job.status.replace("_", " ")


def pause_queue(store: Store, actor: Actor, name: str, *, paused: bool) -> Pause | None:
    """Pause or resume a queue; return who had done so already."""
    verb = partial(store.queues.pause if paused else store.queues.resume, name)
    with store.write(durable=True):
        before = _QUEUE[store.queues.is_paused_to_change(name)]
        whose = store.standings.pauses() if paused else store.standings.resumptions()
        standing = whose.get(name)
        if store.queues.paused_by_hand().get(name) != paused or _is_renewed(actor, standing):
            before += _by(standing)
            action, target, after = _PAUSE[paused], f"queue {name}", lambda: _QUEUE[paused]
            audited(store, actor, action, target, verb, before=lambda: before, after=after)
    return standing


def pause_schedule(store: Store, actor: Actor, name: str, *, paused: bool) -> Pause | None:
    """Pause or resume a schedule; return who had paused it already. Raises NotFound."""
    verb = partial(store.schedules.pause if paused else store.schedules.resume, name)
    with store.write(durable=True):
        was_paused = store.schedules.to_change(name).paused
        standing = store.schedules.pauses().get(name, Pause()) if was_paused and paused else None
        if was_paused != paused or _is_renewed(actor, standing):
            before = _SCHEDULE[was_paused] + _by(standing)
            action, target, after = _PAUSE[paused], f"schedule {name}", lambda: _SCHEDULE[paused]
            audited(store, actor, action, target, verb, before=lambda: before, after=after)
    return standing


def _is_renewed(actor: Actor, standing: Pause | None) -> bool:
    """Return whether an actor gives a new reason for what stands.

    Without one nothing changes, so a second pause does not erase who paused it first, and why.
    """
    return standing is not None and bool(actor.reason) and actor.reason != standing.reason


def _by(standing: Pause | None) -> str:
    return "" if standing is None or standing.by is None else f" {standing.told()}"


def run_schedule(store: Store, actor: Actor, name: str, make_job: MakeJob) -> int:
    """Submit the job of a schedule now, and return its id. Raises NotFound and InvalidJob."""

    def new_job() -> str:
        return f"job {store.schedules.get(name).last_job_id}"

    verb = partial(store.schedules.run_now, name, make_job)
    return audited(store, actor, "run", f"schedule {name}", verb, after=new_job)


def release_type(store: Store, actor: Actor, name: str) -> None:
    """Release a quarantined job type. Raises NotFound and TransitionRefused."""
    verb, target = partial(store.quarantines.release, name), f"type {name}"
    before, after = lambda: "quarantined", lambda: "released"  # or the verb refuses
    audited(store, actor, "release", target, verb, before=before, after=after)


_PAUSE = {True: "pause", False: "resume"}
_QUEUE = {True: "paused", False: "open"}  # as `orpheus queues` says
_SCHEDULE = {True: "paused", False: "running"}
