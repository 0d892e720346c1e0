"""When the rules of `[[alerts]]` fire. Pure: the caller passes events, conditions and the time.

A rule counts what it is about: an event of one of its kinds, or a condition that begins to hold.
When it has counted `after` within `within`, it is due and counts anew. It fires at most once in
`every`; what comes due meanwhile is held back: the next alert, sent as soon as it may be, counts
it.

A condition has ended once it did not hold for a minute. A fatal slot is started again every few
minutes, and is fatal a second later: that is one trouble, and no new one. Where the rule asks for
it (`resolved`), each alert about conditions is remembered until all of them have ended. Then their
end is reported, once and with the same facts.

Jobs of the queue `alerts` fire nothing, and neither does what becomes of a worker that runs one: an
alert about alerts would go round in circles. With `max_jobs = 1`, the job of each alert would
replace a worker, which would fire the next.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.events import Kind

ALERTS_QUEUE = "alerts"
"""The queue of the jobs that alerts make."""
WEBHOOK_TYPE = "webhook"
"""The job type that `webhook` stands for."""
EVERYTHING = "*"
MOST_COUNTED = 1_000
"""The largest `after`: so many times are remembered."""
ErrorDetail = Literal["type", "message", "full"]
"""How much of an exception, or of another reason, the job of an alert is told."""
_ENDED_AFTER_MS = 60_000


class AlertCondition(StrEnum):
    """What a rule may be about besides events: the rule fires when the condition begins to hold."""

    SCHEDULE_MISSED = "schedule.missed"
    QUEUE_LATE = "queue.late"
    SUPERVISOR_DEGRADED = "supervisor.degraded"


KINDS = frozenset(kind.value for kind in (*Kind, *AlertCondition) if kind is not Kind.JOB_PROGRESS)
"""Everything that a rule may be about."""


class AlertRule(msgspec.Struct, frozen=True):
    """An `[[alerts]]` entry. `payload` is JSON text, as the job gets it once it is filled in."""

    name: str
    on: tuple[str, ...]
    type: str
    payload: str
    types: tuple[str, ...] = (EVERYTHING,)
    queues: tuple[str, ...] = (EVERYTHING,)
    after: int = 1
    within_s: float | None = None
    every_s: float = 300.0
    resolved: bool = False
    """Whether the end of conditions is reported, too."""
    error: ErrorDetail = "type"


class Topic(msgspec.Struct, frozen=True):
    """What something is about: a sentence, what it concerns, and why it happened.

    `why` begins with what is not secret: the type of an exception, or a reason up to a colon.
    """

    text: str
    job: int | None = None
    type: str | None = None
    queue: str | None = None
    worker: str | None = None
    schedule: str | None = None
    host: str | None = None
    why: str = ""
    details: str = ""
    """All that is known of why, such as a traceback."""


class Seen(msgspec.Struct, frozen=True):
    """An event, or a condition that holds, as the rules look at it.

    `seq` and what an event is about stay unknown until an alert needs them; `about` is that of a
    condition, and `subject` the name of what the condition holds for.
    """

    kind: str
    at_ms: int
    seq: int = 0
    type: str | None = None
    queue: str | None = None
    worker: str | None = None
    host: str | None = None
    pid: int | None = None
    subject: str = ""
    about: Topic | None = None

    @property
    def name(self) -> str:
        """What a condition is remembered by: `queue.late mail`."""
        return f"{self.kind} {self.subject}"


class Occurrence(msgspec.Struct, frozen=True):
    """What an alert tells of: what was seen last when its rule came due. `name`: of a condition."""

    kind: str
    at_ms: int
    about: Topic
    name: str = ""


class OpenAlert(msgspec.Struct, frozen=True):
    """An alert whose end is to be reported, and the conditions that it was about."""

    told: Occurrence
    """What it told of. The database has it under this name."""
    names: tuple[str, ...]


class RuleState(msgspec.Struct, frozen=True):
    """What is remembered of a rule."""

    recent_ms: tuple[int, ...] = ()
    """When what is counted happened, in the order of these times."""
    holding: tuple[str, ...] = ()
    """The conditions that were counted and have not ended: `queue.late mail`."""
    gone_ms: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Since when some of them do not hold any more."""
    begun: tuple[str, ...] = ()
    """The conditions that the next alert is about."""
    fired_ms: int | None = None
    held_back: int = 0
    """How often it came due since it fired."""
    held: Occurrence | None = None
    """What it came due for the last time, while it is held back."""
    open: tuple[OpenAlert, ...] = ()
    """The alerts whose end has not been reported; none without `resolved`."""


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a rule. `newest`: if it came due now, what for (the last time)."""

    state: RuleState
    newest: Seen | None
    fires: bool
    held_back: int = 0
    """If it fires: how many alerts were held back before."""
    begun: tuple[str, ...] = ()
    """If it fires: the conditions that it is about."""
    over: OpenAlert | None = None
    """If it does not fire: an alert after all its conditions have ended."""


def is_of(rule: AlertRule, seen: Seen) -> bool:
    """Return whether a rule counts an event."""
    return (
        seen.kind in rule.on
        and seen.queue != ALERTS_QUEUE
        and _admits(rule.types, seen.type)
        and _admits(rule.queues, seen.queue)
    )


def _admits(names: Sequence[str], name: str | None) -> bool:
    return EVERYTHING in names or name in names


def decide(
    rule: AlertRule, state: RuleState, events: Iterable[Seen], holding: Sequence[Seen], now_ms: int
) -> Decision:
    """Return what becomes of a rule that has seen these events, while these conditions hold."""
    names = {condition.name: condition for condition in holding}
    lasting = {name for name in state.holding if not _has_ended(state, name, now_ms)}
    new = [condition for name, condition in names.items() if name not in lasting]
    recent, hits, newest = _count(rule, state.recent_ms, [*events, *new])
    due = state.held_back + hits
    begun = {*state.begun, *(condition.name for condition in new)}
    state = replace(
        state,
        recent_ms=recent,
        holding=tuple(sorted(lasting | names.keys())),
        gone_ms={name: state.gone_ms.get(name, now_ms) for name in sorted(lasting - names.keys())},
        begun=tuple(sorted(begun if due else begun & (lasting | names.keys()))),
        held_back=due,
    )
    if not due or is_throttled(rule, state, now_ms):
        # A condition that ended and began again between two looks counts as one that never ended.
        over = next((alert for alert in state.open if not {*state.holding} & {*alert.names}), None)
        return Decision(state, newest, fires=False, over=over)
    fired = replace(state, begun=(), fired_ms=now_ms, held_back=0, held=None)
    return Decision(fired, newest, fires=True, held_back=due - 1, begun=state.begun)


def opened(rule: AlertRule, decision: Decision, last: Occurrence) -> RuleState:
    """Return what is remembered of a rule that has fired.

    Receivers group alerts by what they concern. So two open alerts that concern the same thing
    become one, which ends when nothing holds that either of them was about.
    """
    state = decision.state
    if not rule.resolved or not decision.begun:
        return state
    same = [alert for alert in state.open if _subject(alert.told) == _subject(last)]
    others = [alert for alert in state.open if alert not in same]
    names = {*decision.begun}.union(*(alert.names for alert in same))
    return replace(state, open=(*others, OpenAlert(last, tuple(sorted(names)))))


def _subject(last: Occurrence) -> tuple[str, Topic]:
    return last.kind, replace(last.about, text="", why="", details="")


def closed(state: RuleState, over: OpenAlert) -> RuleState:
    """Return what is remembered once the end of an alert is reported."""
    return replace(state, open=tuple(alert for alert in state.open if alert != over))


def _has_ended(state: RuleState, name: str, now_ms: int) -> bool:
    """Return whether a condition is long gone. If its time is to come, the clock was set back."""
    return abs(now_ms - state.gone_ms.get(name, now_ms)) >= _ENDED_AFTER_MS


def refused(before: RuleState, decision: Decision, last: Occurrence) -> RuleState:
    """Return the state of a rule after its job was refused: it stays due, and is held."""
    due = decision.held_back + 1
    return replace(
        decision.state, begun=decision.begun, fired_ms=before.fired_ms, held_back=due, held=last
    )


def _count(
    rule: AlertRule, recent_ms: tuple[int, ...], seen: Sequence[Seen]
) -> tuple[tuple[int, ...], int, Seen | None]:
    """Return what is still counted, how often the rule came due, and for what the last time."""
    if rule.after == 1 or rule.within_s is None or AlertCondition.QUEUE_LATE in rule.on:
        return (), len(seen), seen[-1] if seen else None
    recent, hits, newest = list(recent_ms), 0, None
    within_ms = rule.within_s * 1000
    for sight in seen:
        del recent[: bisect_right(recent, sight.at_ms - within_ms)]
        del recent[bisect_left(recent, sight.at_ms + within_ms) :]  # of a clock that was ahead
        insort(recent, sight.at_ms)
        if len(recent) >= rule.after:
            recent, hits, newest = [], hits + 1, sight
    return tuple(recent), hits, newest


def is_throttled(rule: AlertRule, state: RuleState, now_ms: int) -> bool:
    """Return whether a rule fired within `every`; a time to come is of a clock now set back."""
    return state.fired_ms is not None and 0 <= now_ms - state.fired_ms < rule.every_s * 1000


def next_alert_ms(rule: AlertRule, state: RuleState) -> int | None:
    """Return when the rule fires though nothing more happens; None: it does not."""
    if not state.held_back or state.fired_ms is None:
        return None
    return state.fired_ms + round(rule.every_s * 1000)


def changed(rule: AlertRule, state: RuleState) -> RuleState:
    """Return the state of a rule after its definition has changed to this.

    It begins anew but for `every`, and for the end of alerts that it is still about: conditions
    that still hold fire again, and the end of the others is reported.
    """
    still = [alert for alert in state.open if rule.resolved and is_of(rule, _seen(alert.told))]
    return RuleState(fired_ms=state.fired_ms, open=tuple(still))


def _seen(last: Occurrence) -> Seen:
    return Seen(last.kind, last.at_ms, type=last.about.type, queue=last.about.queue)
