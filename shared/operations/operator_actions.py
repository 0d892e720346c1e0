"""Operators' actions on jobs, queues, schedules, types and problems, for API and command line.

Each that changes something has a row in the audit log, with how its target stood before and after.
Both are read in the transaction of the action.
"""

from functools import partial
from typing import TypeVar

from orpheus.shared.errors import NotFound
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Acknowledgement, Actor, MakeJob, Pause, Store

T = TypeVar("T")


def pause_queue(store: Store, actor: Actor, name: str, *, paused: bool) -> Pause | None:
    """Pause or resume a queue; return who had paused it already."""
    verb = partial(store.queues.pause if paused else store.queues.resume, name)
    with store.write(durable=True):
        before = _QUEUE[store.queues.is_paused_to_change(name)]
        standing = store.waiting.pauses().get(name) if paused else None
        if store.queues.paused_by_hand().get(name) != paused or _is_renewed(actor, standing):
            before += _by(standing)
            action, target, after = _PAUSE[paused], f"queue {name}", lambda: _QUEUE[paused]
            store.audit.audited(actor, action, target, verb, before=lambda: before, after=after)
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
            store.audit.audited(actor, action, target, verb, before=lambda: before, after=after)
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
    return store.audit.audited(actor, "run", f"schedule {name}", verb, after=new_job)


def release_type(store: Store, actor: Actor, name: str) -> None:
    """Release a quarantined job type. Raises NotFound and TransitionRefused."""
    verb, target = partial(store.quarantines.release, name), f"type {name}"
    before, after = lambda: "quarantined", lambda: "released"  # or the verb refuses
    store.audit.audited(actor, "release", target, verb, before=before, after=after)


def acknowledge(store: Store, actor: Actor, row: Acknowledgement) -> None:
    """Acknowledge a problem."""
    store.audit.audited(
        actor,
        "acknowledge",
        _problem(row.code, row.subject),
        partial(store.acknowledgements.put, row),
        after=lambda: f"until {rfc3339(row.until_ms)}",
    )


def unacknowledge(store: Store, actor: Actor, code: str, subject: str) -> None:
    """Withdraw an acknowledgement. Raises NotFound."""
    target = _problem(code, subject)
    with store.write(durable=True):
        if not store.acknowledgements.withdraw(code, subject):
            raise NotFound(f"{target} is not acknowledged")
        store.audit.record("unacknowledge", target, by=actor.name, reason=actor.reason)


def _problem(code: str, subject: str) -> str:
    words = code.replace("_", " ")
    return f"problem {subject} ({words})" if subject else f"problem {words}"


_PAUSE = {True: "pause", False: "resume"}
_QUEUE = {True: "paused", False: "open"}  # as `orpheus queues` says
_SCHEDULE = {True: "paused", False: "running"}
