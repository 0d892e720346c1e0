"""What a durable function has kept, and the signals that functions wait for."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from orpheus.shared.domain import steps
from orpheus.shared.domain.hidden import Hidden, Rules, masked_named
from orpheus.shared.domain.steps import StepKind, StepState
from orpheus.shared.messages.encoding import (
    AttemptNumber,
    Seconds,
    Time,
    finished_json,
    optional_time,
    time_of,
)


class JobStep(Struct, frozen=True):
    """A step, a sleep, a wait or a cursor of a durable function."""

    name: str
    kind: StepKind
    state: StepState
    """`kept`: it is not done again."""
    result: Any
    """null: there is none yet. The payload, of a wait for a signal."""
    is_cut: bool
    """The result is too long to be shown: it is the beginning of its JSON, as text."""
    attempt: AttemptNumber
    at: Time
    """When it was kept; of a wait that is not over, when it began."""
    took_s: Seconds
    """How long its function ran."""
    until: Time | None
    """The end of a sleep, or the timeout of a wait."""
    signal: str | None
    """The name of the signal that it waits for."""
    key: str | None
    children: tuple[int, ...]
    """The ids of the jobs of a gather."""


class JobSteps(Struct, frozen=True):
    """What a durable function has kept, oldest first."""

    items: list[JobStep]


class Signal(Struct, frozen=True):
    """A signal. Its payload is the first one that was sent for its name and key, or replaced it."""

    name: str
    key: str
    payload: Any
    at: Time
    """When this payload was sent."""
    is_new: bool
    """false: it had been sent before."""


def steps_of(rows: Iterable[steps.Step], most_chars: int, rules: Rules) -> JobSteps:
    """Return what a job has kept; of a result with more characters, only its beginning.

    `rules`: those of its type.
    """
    return JobSteps([_step_of(row, most_chars, rules) for row in rows])


def shown_result(step: steps.Step, rules: Rules) -> str | None:
    """Return the result of a step as JSON, with the mask in place of what is hidden."""
    if step.result is None:
        return None
    return masked_named(step.name, step.result, rules)


def _step_of(row: steps.Step, most_chars: int, rules: Rules) -> JobStep:
    text = shown_result(row, rules)
    is_cut = text is not None and len(text) > most_chars
    result: Any = None
    if text is not None:
        result = text[:most_chars] if is_cut else finished_json(text)
    return JobStep(
        name=row.name,
        kind=row.kind,
        state=row.state,
        result=result,
        is_cut=is_cut,
        attempt=row.attempt,
        at=time_of(row.at_ms),
        took_s=row.took_ms / 1000,
        until=optional_time(row.until_ms),
        signal=row.signal,
        key=row.key,
        children=row.children,
    )


def signal_of(signal: steps.Signal, hidden: Hidden, *, is_new: bool) -> Signal:
    """Return a signal that was sent. It belongs to no type, so the rules of all types count."""
    payload = finished_json(masked_named(signal.name, signal.payload, hidden.of_all))
    return Signal(signal.name, signal.key, payload, time_of(signal.at_ms), is_new)
