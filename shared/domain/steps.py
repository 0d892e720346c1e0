"""What a durable function keeps: steps, sleeps, signals, children and cursors (docs/adr/0041)."""

import re
from enum import StrEnum
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.shared.errors import FieldProblem, InvalidJob, TooLarge
from orpheus.shared.text import storable

MAX_STEPS = 10_000
"""Of one job, without those of finished items of a cursor."""
MAX_STEP_NAME_CHARS = 200
MAX_SIGNAL_KEY_CHARS = 255
MAX_SIGNAL_BYTES = 1_048_576
"""Of the payload, as JSON."""
MOST_WAITS_COUNTED = 1000
"""A problem that is about so many jobs is about "at least" so many."""


_TAKEN = re.compile(r"#\d+$|\[\d+\] ")
"""Names that the second step of a name, and steps of items of a cursor, get."""


class StepKind(StrEnum):
    """What a row of `steps` is."""

    STEP = "step"
    SLEEP = "sleep"
    SIGNAL = "signal"
    GATHER = "gather"
    CURSOR = "cursor"


class StepState(StrEnum):
    """KEPT: it is not done again. A wait is WAITING until it is kept, or has TIMED_OUT."""

    KEPT = "kept"
    WAITING = "waiting"
    TIMED_OUT = "timed_out"


class Step(msgspec.Struct, frozen=True):
    """What a job has kept under a name. `result` is JSON text.

    `position`: in the order of keeping. `took_ms`: how long its function ran. `until_ms`: the end
    of a sleep, or the timeout of a wait. `signal` and `key`: of a wait for a signal. `children`:
    the ids of the jobs of a gather.
    """

    name: str
    position: int
    kind: StepKind
    state: StepState
    result: str | None
    attempt: int
    at_ms: int
    took_ms: int = 0
    until_ms: int | None = None
    signal: str | None = None
    key: str | None = None
    children: tuple[int, ...] = ()


class KeptSteps(NamedTuple):
    """What a worker reads of a job before it runs it again. A long result is None."""

    created_at_ms: int
    steps: list[Step]


class NewStep(NamedTuple):
    """A step to keep, with the fields of Step."""

    name: str
    position: int
    kind: StepKind
    result: str | None = None
    took_ms: int = 0
    signal: str | None = None
    key: str | None = None


class Suspension(NamedTuple):
    """What a function waits for: its attempt ends, and the job is run again when it has come.

    `delay_ms`: of a sleep; of a wait for a signal its timeout, None: none. `children`: the jobs
    that a gather submits; none if it has submitted them before.
    """

    step: NewStep
    delay_ms: int | None = None
    children: tuple[NewJob, ...] = ()


class NewSignal(NamedTuple):
    """A signal to send. `payload` is JSON text."""

    name: str
    key: str
    payload: str = "null"
    replaces: bool = False
    """If it was sent before, functions that have not received it get this payload instead."""


class Signal(msgspec.Struct, frozen=True):
    """A signal that was sent: the first payload of its name and key."""

    name: str
    key: str
    payload: str
    at_ms: int


class LongWaits(NamedTuple):
    """The job that has waited longest for a signal, and how many wait for too long."""

    job_id: int
    type: str
    signal: str
    key: str
    since_ms: int
    jobs: int
    """At most MOST_WAITS_COUNTED."""


def new_signal(name: object, key: object, payload: str) -> NewSignal:
    """Return a signal to send; `payload` is JSON text.

    Raises InvalidJob, which names the field that is not valid, and TooLarge.
    """
    text_key = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
    problem = signal_problem(name, text_key)
    if problem is None and storable(payload) != payload:
        problem = "payload", "has characters that cannot be stored"
    if problem is not None:
        raise InvalidJob.of([FieldProblem(f"/{problem[0]}", problem[1])])
    if len(payload.encode()) > MAX_SIGNAL_BYTES:
        raise TooLarge(f"the payload of the signal has more than {MAX_SIGNAL_BYTES:,} bytes")
    return NewSignal(str(name), str(text_key), payload)


def signal_problem(name: object, key: object) -> tuple[str, str] | None:
    """Return which of the two is not valid and why; None if both are."""
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        return "name", NAME_RULE
    if not isinstance(key, str) or not key or len(key) > MAX_SIGNAL_KEY_CHARS:
        return "key", f"must be a text of 1 to {MAX_SIGNAL_KEY_CHARS} characters"
    if storable(key) != key:
        return "key", "has characters that cannot be stored"
    return None


def step_name_problem(name: object) -> str | None:
    """Return why a text cannot be the name of a step; None if it can."""
    if not isinstance(name, str) or not name.strip():
        return "the name of a step must be a text"
    if len(name) > MAX_STEP_NAME_CHARS:
        return f"the name of a step has at most {MAX_STEP_NAME_CHARS} characters, not {len(name):,}"
    if _TAKEN.search(name):
        return f"the name of the step {name!r} is reserved: it may not end in #2 or have [3] in it"
    if storable(name) != name:
        return f"the name of the step {name!r} has characters that cannot be stored"
    return None
