"""Look at what has happened, and make the jobs of the rules of `[[alerts]]` that fire.

Only the leader does it, and a leader that was slow does no harm (shared/storage/verbs/alerts.py).
The log of events is read from where each rule has come to, without a lock, in bounded steps. What
retention has deleted before it was read counts for nothing, and is logged.
"""

import json
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from math import inf

import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.alerts import (
    ALERTS_QUEUE,
    WEBHOOK_TYPE,
    AlertCondition,
    AlertRule,
    Decision,
    Occurrence,
    RuleState,
    Seen,
    Topic,
    closed,
    decide,
    is_of,
    next_alert_ms,
    opened,
    refused,
)
from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.schedules import LATE_MS, overdue_tick_ms
from orpheus.shared.domain.words import duration
from orpheus.shared.errors import InvalidJob, StorageError
from orpheus.shared.explain.alert_texts import about_event, facts, filled_in, sample_facts
from orpheus.shared.logs import get_logger
from orpheus.shared.moments import rfc3339
from orpheus.shared.process.failpoints import failpoint
from orpheus.shared.storage import AlertRow, ScheduleRow, Store, TypeRow

log = get_logger()

_EVENTS_AT_ONCE = 5_000
_BURST_S = 0.1
_NO_WEBHOOK = (
    'needs the job type webhook: add its module, "orpheus.worker.handlers", to jobs.modules'
)


def fire_alerts(store: Store, settings: StoredSettings) -> float:
    """Make the jobs of the rules that fire, and return the seconds until there is more to do.

    After about 100 ms it leaves the rest of the events to the next call.
    """
    end_s = time.monotonic() + _BURST_S
    while rows := store.alerts.all():
        look = _Look(store, settings, rows)
        next_s = _fire(look, rows)
        if not look.has_more:
            return next_s
        if time.monotonic() > end_s:
            return 0.0
    return inf


class _Look:
    """What there is to see for some rules, each part read when a rule asks for it."""

    def __init__(self, store: Store, settings: StoredSettings, rows: list[AlertRow]) -> None:
        self.store = store
        self.settings = settings
        self.now_ms = store.clock.wall_ms()
        after, newest = min(row.seq for row in rows), store.events.last_seq()
        if newest > after:
            oldest = store.events.oldest_seq()
            if oldest > after + 1:
                log.warning("alerts_missed_events", events=oldest - after - 1, reason="deleted")
                after = oldest - 1
        self.up_to = max(after, min(newest, after + _EVENTS_AT_ONCE))
        self.has_more = self.up_to < newest
        kinds = {kind for row in rows for kind in row.rule.on} - {*AlertCondition}
        self._events = store.alerts.seen(after, self.up_to, kinds) if self.up_to > after else []

    def events_for(self, row: AlertRow) -> Iterator[Seen]:
        """Yield the events that a rule counts, in order."""
        for seen in self._events:
            if seen.seq > row.seq and is_of(row.rule, seen):
                yield seen

    def holding_for(self, rule: AlertRule, state: RuleState) -> Iterator[Seen]:
        """Yield the conditions that hold, of those that a rule is about."""
        if AlertCondition.SCHEDULE_MISSED in rule.on:
            yield from (sight for sight in self._missed if is_of(rule, sight))
        if AlertCondition.QUEUE_LATE in rule.on and rule.within_s is not None:
            yield from (sight for sight in self._late(rule, rule.within_s) if is_of(rule, sight))
        if AlertCondition.SUPERVISOR_DEGRADED in rule.on:
            yield from self._degraded
            # On a lost host nothing can be seen, so a condition lasts, unless it was gone before.
            lasting = {*state.holding} - state.gone_ms.keys()
            if lasting:
                yield from (sight for sight in self._abandoned if sight.name in lasting)

    @cached_property
    def types(self) -> dict[str, TypeRow]:
        """The job types, by name."""
        return {row.name: row for row in self.store.types.all()}

    def _holds(self, kind: AlertCondition, subject: str, about: Topic) -> Seen:
        return Seen(
            kind,
            self.now_ms,
            type=about.type,
            queue=about.queue,
            worker=about.worker,
            host=about.host,
            subject=subject,
            about=about,
        )

    @cached_property
    def _missed(self) -> list[Seen]:
        found = []
        for row in self.store.schedules.all():
            schedule, tick_ms = row.definition, _missed_tick_ms(row, self.now_ms)
            if tick_ms is not None:
                name = schedule.name
                text = f"schedule {name} was missed at {rfc3339(tick_ms)}"
                about = Topic(text, type=schedule.type, queue=schedule.queue, schedule=name)
                found.append(self._holds(AlertCondition.SCHEDULE_MISSED, name, about))
        return found

    def _late(self, rule: AlertRule, within_s: float) -> Iterator[Seen]:
        since_ms = self.now_ms - round(within_s * 1000)
        for queue in self.store.alerts.late_queues(since_ms, rule.after):
            jobs = "a job has" if rule.after == 1 else f"{rule.after} jobs or more have"
            text = f"queue {queue} is late: {jobs} waited for over {duration(within_s)}"
            yield self._holds(AlertCondition.QUEUE_LATE, queue, Topic(text, queue=queue))

    @cached_property
    def _degraded(self) -> list[Seen]:
        from orpheus.shared.explain.answers import slots_in_trouble  # noqa: PLC0415 - few have a rule for it

        found = slots_in_trouble(self.store, self.settings.beat_timeout_s)
        return [self._in_trouble(host, slot, text) for host, slot, text in found]

    @cached_property
    def _abandoned(self) -> list[Seen]:
        from orpheus.shared.operations.reclaim import living_supervisors  # noqa: PLC0415 - as above

        with self.store.snapshot():
            slots = self.store.processes.slots()
            living = living_supervisors(self.store, self.settings.beat_timeout_s)
        watched = {
            supervisor.host for supervisor in living
        }  # a supervisor that stops takes its slots along
        return [
            self._in_trouble(host, slot, f"{slot} was in trouble when {host} was lost")
            for host, slot in ((row.host, row.slot) for row in slots)
            if host not in watched
        ]

    def _in_trouble(self, host: str, slot: str, text: str) -> Seen:
        what, _, why = text.partition(": ")
        about = Topic(what, worker=slot, host=host, why=why)
        return self._holds(AlertCondition.SUPERVISOR_DEGRADED, f"{slot} on {host}", about)


def _missed_tick_ms(row: ScheduleRow, now_ms: int) -> int | None:
    """Return the tick that a schedule has missed, if it has not run since; None: it has none."""
    if row.definition.queue == ALERTS_QUEUE:
        return None
    tick_ms = overdue_tick_ms(row.tick_ms, now_ms, LATE_MS, paused=row.paused)
    return row.missed_ms if tick_ms is None else tick_ms


class _Outcome(msgspec.Struct, frozen=True):
    """What becomes of a rule. `next_ms`: when it fires though nothing more happens.

    `is_end`: the job tells the end of an alert.
    """

    row: AlertRow
    state: RuleState
    job: NewJob | None = None
    text: str = ""
    """What the job tells."""
    next_ms: int | None = None
    is_end: bool = False


def _fire(look: _Look, rows: list[AlertRow]) -> float:
    """Store what becomes of each rule; return the seconds until one fires that is held back."""
    outcomes = [_outcome(look, row) for row in rows]
    changed = [
        outcome
        for outcome in outcomes
        if outcome.job is not None
        or outcome.state != outcome.row.state
        or look.up_to > outcome.row.seq
    ]
    if changed:
        _store(look, changed)
    waits_ms = [
        outcome.next_ms - look.now_ms for outcome in outcomes if outcome.next_ms is not None
    ]
    return min(waits_ms, default=inf) / 1000


def _outcome(look: _Look, row: AlertRow) -> _Outcome:
    """Return what becomes of a rule.

    If our code fails for a rule, the rule skips these events and keeps its state. So it neither
    stops the other rules nor reads the same events for ever.
    """
    in_trouble, name = look.store.alerts.in_trouble, row.rule.name
    try:
        return _evaluate(look, row)
    except StorageError:
        raise
    except Exception:
        if name not in in_trouble:
            log.exception("alert_failed", alert=name)
        in_trouble.add(name)
        return _Outcome(row, row.state)


def _evaluate(look: _Look, row: AlertRow) -> _Outcome:
    rule = row.rule
    holding = list(look.holding_for(rule, row.state))
    decision = decide(rule, row.state, look.events_for(row), holding, look.now_ms)
    last = _last_occurrence(look.store, rule, decision, row.state.held)
    if decision.fires and last is not None:
        what = facts(rule, last, decision.held_back, rfc3339(last.at_ms))
        job = _job_or_trouble(look, rule, what)
        if job is None:
            return _Outcome(row, refused(row.state, decision, last))
        return _Outcome(row, opened(rule, decision, last), job, str(what["text"]))
    state, over, job, text = replace(decision.state, held=last), decision.over, None, ""
    if over is None:
        look.store.alerts.in_trouble.discard(rule.name)
    else:
        what = facts(rule, over.told, 0, rfc3339(look.now_ms), is_over=True)
        text = str(what["text"])
        job = _job_or_trouble(look, rule, what)
        state = state if job is None else closed(state, over)
    return _Outcome(row, state, job, text, next_alert_ms(rule, state), is_end=over is not None)


def _job_or_trouble(look: _Look, rule: AlertRule, what: Mapping[str, object]) -> NewJob | None:
    """Return the job of an alert; None if it is refused, which is logged once."""
    in_trouble = look.store.alerts.in_trouble
    try:
        job = _job_of(rule, what, look.types, look.settings.defaults)
    except InvalidJob as refusal:  # the job types have changed: tried again at each look
        if rule.name not in in_trouble:
            log.error(  # noqa: TRY400 - a traceback would not help
                "alert_refused", alert=rule.name, reason=str(refusal), text=what["text"]
            )
        in_trouble.add(rule.name)
        return None
    in_trouble.discard(rule.name)
    return job


def _store(look: _Look, changed: list[_Outcome]) -> None:
    made, move = [], look.store.alerts.move
    with look.store.write(durable=any(outcome.job is not None for outcome in changed)):
        for outcome in changed:
            seq = max(outcome.row.seq, look.up_to)
            job_id = move(
                outcome.row,
                seq,
                outcome.state,
                outcome.job,
                text=outcome.text,
                is_end=outcome.is_end,
            )
            if job_id is not None:
                made.append((outcome, job_id))
        if made:
            failpoint("alerts.before_commit")
    for outcome, job_id in made:
        what = "alert_resolved" if outcome.is_end else "alert_fired"
        log.info(what, alert=outcome.row.rule.name, job=job_id)
    if made:
        failpoint("alerts.committed")


def _last_occurrence(
    store: Store, rule: AlertRule, decision: Decision, held: Occurrence | None
) -> Occurrence | None:
    """Return for what a rule came due last: now, or (`held`) while its alert was held back."""
    newest = decision.newest
    if newest is None:
        return held
    about = newest.about
    if about is None:
        found = store.events.after(newest.seq - 1, 1)
        is_kept = bool(found) and found[0].seq == newest.seq
        job_id, body = (found[0].job_id, found[0].body) if is_kept else (None, "{}")
        fields = json.loads(body)
        about = about_event(newest.kind, job_id, fields)
        if rule.error != "full":
            about = replace(about, details="")
        elif job_id is not None:
            about = replace(about, details=_traceback(store, job_id, fields.get("attempt")))
    return Occurrence(newest.kind, newest.at_ms, about, newest.name)


def _traceback(store: Store, job_id: int, attempt: int | None) -> str:
    errors = [row.error for row in store.jobs.attempts(job_id) if row.number == attempt]
    return next((error.traceback or "" for error in errors if error is not None), "")


def refused_alerts(
    types: Mapping[str, TypeRow], settings: StoredSettings
) -> Iterator[tuple[tuple[str, int], str]]:
    """Yield each alert whose job would not be accepted, by table and index, and why."""
    for index, rule in enumerate(settings.alerts):
        if rule.type == WEBHOOK_TYPE and WEBHOOK_TYPE not in types:
            yield ("alerts", index), f"{rule.name!r} {_NO_WEBHOOK}"
            continue
        try:
            for sample in sample_facts(rule):
                _job_of(rule, sample, types, settings.defaults)
        except InvalidJob as error:
            yield ("alerts", index), f"{rule.name!r} cannot make its job: {error}"


def _job_of(
    rule: AlertRule,
    what: Mapping[str, object],
    types: Mapping[str, TypeRow],
    defaults: JobDefaults,
) -> NewJob:
    """Return the job of an alert. Raises InvalidJob."""
    from orpheus.shared.job_types.admission import prepare_job  # noqa: PLC0415 - 4 MB, seldom used

    return prepare_job(
        types,
        defaults,
        type=rule.type,
        payload=filled_in(json.loads(rule.payload), what),
        queue=ALERTS_QUEUE,
        tags=[rule.name],
        is_secret=True,
    )
