"""Check the rules of `[[alerts]]` against what they are about, and against the pools.

Otherwise a rule that can never fire, or whose job nobody runs, would be noticed only when it is
needed. Each is told at the start, with what to do.
"""

from collections.abc import Iterator

from orpheus.config.problems import KeyPath, Problem
from orpheus.config.settings import Alert, Settings
from orpheus.shared.domain.alerts import ALERTS_QUEUE, EVERYTHING, KINDS, AlertCondition
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.serving import serves
from orpheus.shared.explain.alert_texts import NAMES, fields_in
from orpheus.shared.sentences import did_you_mean, similar

_TYPE_KINDS = frozenset({Kind.TYPE_QUARANTINED, Kind.TYPE_RELEASED, AlertCondition.SCHEDULE_MISSED})
_QUEUE_KINDS = frozenset({Kind.QUEUE_PAUSED, Kind.QUEUE_RESUMED, AlertCondition.QUEUE_LATE})


def alert_problems(settings: Settings) -> Iterator[Problem]:
    """Return what keeps rules from firing, and their jobs from running."""
    served = {queue for pool in settings.pools.values() for queue in pool.queues}
    for index, rule in enumerate(settings.alerts):
        key: KeyPath = ("alerts", index)
        yield from _kinds(rule, key)
        yield from _filters(rule, key)
        yield from _counting(rule, key)
        yield from _ends(rule, key)
        yield from _action(rule, key)
        if not serves(served, ALERTS_QUEUE):
            reason = f"no pool serves the queue {ALERTS_QUEUE!r}: add it to the queues of a pool"
            yield Problem(key, reason, also=(("pools",),))


def _kinds(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    for kind in rule.on:
        if kind in KINDS:
            continue
        kinds = sorted(KINDS)
        meant = did_you_mean(kind, kinds) or f": one of {', '.join(kinds)}"
        if kind == Kind.JOB_PROGRESS:
            meant = ": progress is no event that is kept"
        yield Problem((*key, "on"), f"nothing is called {kind!r}{meant}")


def _filters(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    """Refuse a filter by something that a kind lacks: it would let everything pass, or nothing."""
    known = [kind for kind in rule.on if kind in KINDS]
    if EVERYTHING not in rule.types:
        without = [kind for kind in known if not _is_of_job(kind) and kind not in _TYPE_KINDS]
        yield from _wrong_filter(without, (*key, "types"), "no job type")
    if EVERYTHING not in rule.queues:
        without = [kind for kind in known if not _is_of_job(kind) and kind not in _QUEUE_KINDS]
        yield from _wrong_filter(without, (*key, "queues"), "no queue")
        if ALERTS_QUEUE in rule.queues:
            reason = f"{ALERTS_QUEUE!r} is the queue of the alerts, whose jobs fire no rule"
            yield Problem((*key, "queues"), reason)


def _is_of_job(kind: str) -> bool:
    return kind.startswith("job.")


def _wrong_filter(without: list[str], key: KeyPath, what: str) -> Iterator[Problem]:
    if without:
        reason = f"{without[0]} has {what} to choose by: give it a rule of its own"
        yield Problem(key, reason)


def _counting(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    if AlertCondition.QUEUE_LATE in rule.on:
        if len(rule.on) > 1:
            reason = f"{AlertCondition.QUEUE_LATE} needs a rule of its own: its after is a number "
            yield Problem((*key, "on"), f"{reason}of jobs, and its within how long they wait")
        if rule.within is None:
            reason = f"is needed by {AlertCondition.QUEUE_LATE}: how long a due job may wait"
            yield Problem((*key, "within"), reason)
    elif rule.after > 1 and rule.within is None:
        reason = f"is needed to count {rule.after}: the time in which they happen"
        yield Problem((*key, "within"), reason)


def _ends(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    if rule.resolved and not {*rule.on} & {*AlertCondition}:
        reason = f"only what lasts can end: {', '.join(AlertCondition)}; events are over at once"
        yield Problem((*key, "resolved"), reason)


def _action(rule: Alert, key: KeyPath) -> Iterator[Problem]:
    if (rule.type is None) == (rule.webhook is None):
        yield Problem(key, "needs either type (a job type, with its payload) or webhook (a URL)")
    elif rule.payload is not None and rule.type is None:
        reason = 'belongs to type; for a body of your own: type = "webhook", payload.url and .body'
        yield Problem((*key, "payload"), reason, also=((*key, "type"),))
    for name in sorted(set(fields_in(rule.payload)) - NAMES):
        near = similar(name, sorted(NAMES))
        meant = f"; did you mean {{{near}}}?" if near else f": one of {', '.join(sorted(NAMES))}"
        reason = f"an alert has no field {{{name}}}{meant} ({{{{{name}}}}} is the text itself)"
        yield Problem((*key, "payload"), reason)
