"""Which verb moves a job from which status to which: for the reader, and for the tests.

The store does not use it: its SQL repeats the `leaves` of each transition as a guard, and a
contract test checks that they are equal. docs/state_machine.md is generated from it.
"""

from enum import StrEnum
from typing import NamedTuple

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Status


class Verb(StrEnum):
    """What can happen to a job."""

    LEASE = "lease"
    FINISH = "finish"
    RELEASE = "release"
    RECLAIM = "reclaim"
    CANCEL = "cancel"
    REQUEST_CANCEL = "request cancel"
    RETRY = "retry"


class Transition(NamedTuple):
    """`verb` moves a job out of each status in `leaves` into one of `enters`."""

    verb: Verb
    leaves: frozenset[Status]
    enters: frozenset[Status]
    events: frozenset[Kind]
    needs_token: bool = False


TRANSITIONS: dict[Verb, Transition] = {
    t.verb: t
    for t in (
        Transition(
            Verb.LEASE,
            frozenset({Status.PENDING}),
            frozenset({Status.IN_PROGRESS}),
            frozenset({Kind.JOB_STARTED}),
        ),
        Transition(
            Verb.FINISH,
            frozenset({Status.IN_PROGRESS}),
            frozenset({Status.DONE, Status.FAILED, Status.CANCELLED, Status.PENDING}),
            frozenset(
                {
                    Kind.JOB_DONE,
                    Kind.JOB_FAILED,
                    Kind.JOB_CANCELLED,
                    Kind.JOB_RETRYING,
                    Kind.JOB_SNOOZED,
                    Kind.JOB_RELEASED,
                }
            ),
            needs_token=True,
        ),
        Transition(
            Verb.RELEASE,
            frozenset({Status.IN_PROGRESS}),
            frozenset({Status.PENDING, Status.CANCELLED}),
            frozenset({Kind.JOB_RELEASED, Kind.JOB_CANCELLED}),
            needs_token=True,
        ),
        Transition(
            Verb.RECLAIM,
            frozenset({Status.IN_PROGRESS}),
            frozenset({Status.PENDING, Status.FAILED, Status.CANCELLED}),
            frozenset({Kind.JOB_RECLAIMED, Kind.JOB_FAILED, Kind.JOB_CANCELLED, Kind.JOB_RELEASED}),
            needs_token=True,
        ),
        Transition(
            Verb.CANCEL,
            frozenset({Status.BLOCKED, Status.PENDING}),
            frozenset({Status.CANCELLED}),
            frozenset({Kind.JOB_CANCELLED}),
        ),
        Transition(
            Verb.REQUEST_CANCEL,
            frozenset({Status.IN_PROGRESS}),
            frozenset({Status.IN_PROGRESS}),
            frozenset({Kind.JOB_CANCEL_REQUESTED}),
        ),
        Transition(
            Verb.RETRY,
            frozenset({Status.FAILED, Status.CANCELLED}),
            frozenset({Status.PENDING}),
            frozenset({Kind.JOB_REQUEUED}),
        ),
    )
}
