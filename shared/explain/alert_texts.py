"""Put into words what an alert is about, and fill its facts into a payload. Pure.

A payload names the facts in braces, as `[[commands]]` name fields: `{text}` in a longer text is
replaced in it; a text that is nothing else becomes the fact itself, so a number stays a number, and
`{alert}` is all of them as an object. So the facts fit a job type whatever its schema asks for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import asdict

from orpheus.shared.domain import commands
from orpheus.shared.domain.alerts import (
    AlertCondition,
    AlertRule,
    ErrorDetail,
    Occurrence,
    Topic,
)
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.words import duration

ALL_FACTS = "alert"
"""The field that stands for all facts."""
_MOST_CHARS = 300
_REASONS = ("text", "why", "details")
"""The fields of a Topic that an alert does not get as they are."""
_JOB_WORDS = {
    Kind.JOB_ENQUEUED: "was submitted",
    Kind.JOB_STARTED: "started",
    Kind.JOB_RETRYING: "failed and will be retried",
    Kind.JOB_SNOOZED: "was snoozed",
    Kind.JOB_RELEASED: "was released by its worker",
    Kind.JOB_RECLAIMED: "was taken back from its worker",
    Kind.JOB_DONE: "is done",
    Kind.JOB_FAILED: "failed",
    Kind.JOB_CANCELLED: "was cancelled",
    Kind.JOB_UNBLOCKED: "was unblocked",
    Kind.JOB_CANCEL_REQUESTED: "was asked to stop",
    Kind.JOB_REQUEUED: "was queued again by an operator",
    Kind.JOB_DELETED: "was deleted",
}
_WORKER_WORDS = {
    Kind.WORKER_STARTED: "started",
    Kind.WORKER_READY: "is ready",
    Kind.WORKER_EXITED: "exited",
    Kind.WORKER_HUNG: "stopped responding",
    Kind.WORKER_FATAL: "failed (fatal)",
    Kind.SUPERVISOR_STARTED: "started",
    Kind.SUPERVISOR_STOPPING: "is stopping",
}
_OTHER_WORDS = {
    Kind.CONFIG_RELOADED: "the configuration was reloaded",
    Kind.CONFIG_REJECTED: "the configuration was rejected",
    Kind.QUEUE_PAUSED: "queue {name} was paused",
    Kind.QUEUE_RESUMED: "queue {name} was resumed",
    Kind.SCHEDULE_FIRED: "schedule {name} submitted a job",
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
            f"job {job_id} ({job_type}) {_JOB_WORDS[known]}",
            job=job_id,
            type=job_type,
            queue=body.get("queue"),
            worker=body.get("worker"),
            why=why,
        )
    host, why = body.get("host"), str(body.get("reason") or "")
    if known in _WORKER_WORDS:
        slot = str(body.get("slot", "supervisor"))
        where = f"{slot} on {host}" if host else slot
        evidence = str(body.get("evidence") or "")
        return Topic(
            f"{where} {_WORKER_WORDS[known]}",
            worker=slot,
            host=host,
            why=why,
            details=f"{why}\n{evidence}" if evidence else why,
        )
    name = body.get("name")
    return Topic(
        _OTHER_WORDS[known].format(name=name),
        job=body.get("job_id"),
        type=name if known.startswith("type.") else None,
        queue=name if known.startswith("queue.") else None,
        schedule=name if known is Kind.SCHEDULE_FIRED else None,
        host=host,
        why=why,
        details=why,
    )


def facts(
    rule: AlertRule,
    last: Occurrence,
    held_back: int,
    at: str,
    *,
    is_over: bool = False,
) -> Mapping[str, object]:
    """Return what the job of an alert gets. `at`: `last.at_ms` as text; or when it was over."""
    about = last.about
    why = _why(about, rule.error)
    what = f"{about.text}: {why}" if why else about.text
    text = f"{rule.name}: {what}"
    if is_over:
        text = f"{rule.name}: resolved: {what}"
    elif rule.after > 1 and rule.within_s and AlertCondition.QUEUE_LATE not in rule.on:
        often = f"{rule.after} times in {duration(rule.within_s)}"
        text = f"{rule.name}: {often}, last: {what}"
    if held_back:
        text = f"{text.removesuffix('.')} ({held_back:,} suppressed since the last alert)"
    return {
        "action": "resolve" if is_over else "trigger",
        "rule": rule.name,
        "kind": last.kind,
        "text": text,
        "count": rule.after,
        "held_back": held_back,
        "at": at,
        "error": (about.details if rule.error == "full" else "") or why or None,
        **{name: value for name, value in asdict(about).items() if name not in _REASONS},
    }


def _why(about: Topic, error: ErrorDetail) -> str:
    """Return in one line, not too long for a message, why it happened: all, or its type only."""
    line = " ".join(about.why.split())
    if error == "type":
        line = line.partition(": ")[0]
    return line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]}…"


def filled_in(value: Any, known: Mapping[str, object]) -> Any:
    """Return a payload, or a part of it, with the facts in the place of the fields in braces."""
    if isinstance(value, Mapping):
        return {key: filled_in(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [filled_in(item, known) for item in value]
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
        for item in value.values():
            yield from fields_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from fields_in(item)
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
