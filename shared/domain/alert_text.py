"""Put into words what an alert is about, and fill its facts into a payload. Pure.

A payload names the facts in braces, as `[[commands]]` name fields: `{text}` in a longer text is
replaced in it; a text that is nothing else becomes the fact itself, so a number stays a number, and
`{alert}` is all of them as an object. So the facts fit a job type whatever its schema asks for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orpheus.shared.domain import commands
from orpheus.shared.domain.alerts import AlertCondition, AlertRule, Occurrence, Topic, facts
from orpheus.shared.domain.events import Kind

ALL_FACTS = "alert"
"""The field that stands for all facts."""
_MOST_CHARS = 300

_JOB_WORDS = {
    Kind.JOB_ENQUEUED: "was submitted",
    Kind.JOB_STARTED: "has started",
    Kind.JOB_RETRYING: "failed and will be tried again",
    Kind.JOB_SNOOZED: "was snoozed",
    Kind.JOB_RELEASED: "was released by its worker",
    Kind.JOB_RECLAIMED: "was taken back from its worker",
    Kind.JOB_DONE: "is done",
    Kind.JOB_FAILED: "failed",
    Kind.JOB_CANCELLED: "was cancelled",
    Kind.JOB_UNBLOCKED: "waits no longer for other jobs or a release of its type",
    Kind.JOB_CANCEL_REQUESTED: "was asked to stop",
    Kind.JOB_REQUEUED: "was put back by an operator",
    Kind.JOB_DELETED: "was deleted",
}
_WORKER_WORDS = {
    Kind.WORKER_STARTED: "was started",
    Kind.WORKER_READY: "is ready",
    Kind.WORKER_EXITED: "has ended",
    Kind.WORKER_HUNG: "hangs",
    Kind.WORKER_FATAL: "is fatal",
    Kind.SUPERVISOR_STARTED: "has started",
    Kind.SUPERVISOR_STOPPING: "is stopping",
}
_OTHER_WORDS = {
    Kind.CONFIG_RELOADED: "the configuration was reloaded",
    Kind.CONFIG_REJECTED: "the configuration was rejected",
    Kind.QUEUE_PAUSED: "queue {name} was paused",
    Kind.QUEUE_RESUMED: "queue {name} was resumed",
    Kind.SCHEDULE_FIRED: "schedule {name} made a job",
    Kind.TYPE_QUARANTINED: "type {name} is quarantined",
    Kind.TYPE_RELEASED: "type {name} was released",
}


def about_event(kind: str, job_id: int | None, body: Mapping[str, Any]) -> Topic:
    """Return what an event is about, from its body."""
    known = Kind(kind)
    if known in _JOB_WORDS:
        job_type, error = body.get("type"), body.get("error") or {}
        why = ": ".join(str(error[part]) for part in ("type", "message") if error.get(part))
        return Topic(
            _sentence(f"job {job_id} ({job_type}) {_JOB_WORDS[known]}", why),
            job=job_id,
            type=job_type,
            queue=body.get("queue"),
            worker=body.get("worker"),
        )
    host = body.get("host")
    if known in _WORKER_WORDS:
        slot = str(body.get("slot", "supervisor"))
        where = f"{slot} on {host}" if host else slot
        why = str(body.get("reason") or "")
        return Topic(_sentence(f"{where} {_WORKER_WORDS[known]}", why), worker=slot, host=host)
    name = body.get("name")
    return Topic(
        _sentence(_OTHER_WORDS[known].format(name=name), str(body.get("reason") or "")),
        job=body.get("job_id"),
        type=name if known.startswith("type.") else None,
        queue=name if known.startswith("queue.") else None,
        schedule=name if known is Kind.SCHEDULE_FIRED else None,
        host=host,
    )


def _sentence(what: str, why: str) -> str:
    """Join both in one line that is not too long for a message."""
    line = " ".join(why.split())
    line = line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}…"
    return f"{what}: {line}" if line else what


def filled_in(value: Any, known: Mapping[str, object]) -> Any:
    """Return a payload, or a part of it, with the facts in the place of the fields in braces."""
    if isinstance(value, Mapping):
        return {key: filled_in(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [filled_in(one, known) for one in value]
    if not isinstance(value, str):
        return value
    if (name := commands.only_field(value)) is not None:
        return _fact(name, known)
    return commands.filled_in(value, lambda name: _fact(name, known))


def _fact(name: str, known: Mapping[str, object]) -> object:
    """Return a fact; empty text, which a command can take, if the alert does not have it."""
    if name == ALL_FACTS:
        return dict(known)
    fact = known[name]
    return "" if fact is None else fact


def fields_in(value: Any) -> Iterator[str]:
    """Yield the names in braces in a payload."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from fields_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from fields_in(one)
    elif isinstance(value, str):
        yield from commands.fields_in(value)


def sample_facts(rule: AlertRule) -> Iterator[Mapping[str, object]]:
    """Yield sample facts of each kind, with which a payload is checked before it is needed."""
    for kind in rule.on:
        last, at = Occurrence(kind, 0, _sample(kind)), "2026-01-31T12:00:00.000Z"
        yield facts(rule, last, 1, at)
        if rule.resolved:  # an alert that tells an event last may be about conditions, too
            yield facts(rule, last, 0, at, is_over=True)


def _sample(kind: str) -> Topic:
    if kind == AlertCondition.SCHEDULE_MISSED:
        return Topic("schedule nightly was missed", schedule="nightly", type="sum_range")
    if kind == AlertCondition.QUEUE_LATE:
        return Topic("queue mail is late", queue="mail")
    if kind == AlertCondition.SUPERVISOR_DEGRADED:
        return Topic("default-1 is degraded", worker="default-1", host="localhost")
    if kind == Kind.SCHEDULE_FIRED:
        return about_event(kind, None, {"name": "nightly", "job_id": 1})
    body = {"type": "sum_range", "queue": "mail", "worker": "default-1", "name": "mail"}
    return about_event(kind, 1 if kind.startswith("job.") else None, body)


NAMES = frozenset({*facts(AlertRule("", (), "", ""), Occurrence("", 0, Topic("")), 0, "")}) | {
    ALL_FACTS
}
"""Every field that a payload may name in braces."""
