"""Which alerts were not delivered, as their jobs show. Pure."""

from collections.abc import Iterable, Iterator
from itertools import groupby, takewhile
from operator import attrgetter
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.alerts import AlertRule, RuleState, next_alert_ms
from orpheus.shared.domain.jobs import JobError, Status

LATE_S = 60.0
"""An alert that is tried for longer needs a person."""
_MOST_CHARS = 300


class Undelivered(msgspec.Struct, frozen=True):
    """A rule of `[[alerts]]` whose alerts are not delivered."""

    name: str
    since_s: float
    """How long the first of them has waited."""
    alerts: int = 1
    job_id: int | None = None
    """The job of the newest; None: none could be made."""
    has_failed: bool = False
    """A job of them has failed for good; else all are still tried."""
    reason: str = ""
    """What the newest job failed with."""

    @property
    def needs_person(self) -> bool:
        """Whether it may not get there by itself."""
        return self.has_failed or self.since_s >= LATE_S


class Delivery(NamedTuple):
    """A job of an alert that is done, or that was tried in vain: then it has an error."""

    rule: str
    job_id: int
    at_ms: int
    status: Status
    error: JobError | None


def undelivered(newest_first: Iterable[Delivery], now_ms: int) -> Iterator[Undelivered]:
    """Yield for each rule the alerts since the last one that was delivered, if there are any."""
    by_rule = sorted(newest_first, key=attrgetter("rule"))  # the order within a rule stays
    for rule, jobs in groupby(by_rule, key=attrgetter("rule")):
        vain = list(takewhile(lambda job: job.status is not Status.DONE, jobs))
        if vain:
            yield Undelivered(
                rule,
                since_s=max(0, now_ms - vain[-1].at_ms) / 1000,
                alerts=len(vain),
                job_id=vain[0].job_id,
                has_failed=any(job.status is Status.FAILED for job in vain),
                reason=_reason(vain[0].error),
            )


def _reason(error: JobError | None) -> str:
    if error is None:
        return ""
    first_line = error.message.strip().partition("\n")[0]
    text = f"{error.type}: {first_line}" if first_line else error.type
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"


def unsent(rule: AlertRule, state: RuleState, now_ms: int) -> Undelivered | None:
    """Return the alert that is due without a job, if any. One held back by `every` is not due."""
    if state.held is None or not state.held_back:
        return None
    due_ms = next_alert_ms(rule, state)
    since_ms = state.held.at_ms if due_ms is None else due_ms
    if now_ms < since_ms:
        return None
    is_certain = due_ms is None  # it never fired; else upkeep may fire it in a moment
    since_s = (now_ms - since_ms) / 1000
    return Undelivered(rule.name, since_s, alerts=state.held_back, has_failed=is_certain)
