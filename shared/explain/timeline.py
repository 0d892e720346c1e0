"""Put into words what happened to the system. Pure."""

from collections.abc import Mapping
from typing import Any

from orpheus.shared.domain.alerts import AlertCondition
from orpheus.shared.explain.alert_texts import about_event
from orpheus.shared.messages.audit import audit_entry_of
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.timeline import TimelineItem
from orpheus.shared.storage import AuditRow, Happened

_MOST_CHARS = 300
_PAGES = {
    "config": "/ui/configuration", "configuration": "/ui/configuration", "queue": "/ui/queues",
    "schedule": "/ui/schedules", "type": "/ui/types", "jobs": "/ui/audit", "all": "/ui/audit",
}  # fmt: skip
"""By the first word of a kind or a target; of all others, the overview."""
_ACTIONS = {"configure": "changed the", "acknowledge": "acknowledged"}
"""An action in words; all others as they are."""
_WITH_ROWS = ("queue", "schedule", "type")
"""Their pages have a row for each, with its name as an anchor."""


def timeline_item_of(row: Happened, *, has_many_hosts: bool) -> TimelineItem:
    """Return one thing that happened, in words. Only `has_many_hosts`: with the host's name."""
    at = time_of(row.position.at_ms)
    if row.entry is not None:
        entry = row.entry
        link = _link(*entry.target.partition(" ")[::2])
        return TimelineItem(at, row.kind, entry.target, _done(entry), entry.by, link)
    body, about = {**row.body}, row.kind.partition(".")[0]
    if not has_many_hosts:
        body.pop("host", None)
    subject = str(body.get("slot") or body.get("name") or "supervisor")
    if about == "config":
        subject = "configuration"
    job_id = body.get("job_id")
    link = _link(about, "") if job_id is None else f"/ui/jobs/{job_id}"
    return TimelineItem(at, row.kind, subject, _text_of(row.kind, body)[:_MOST_CHARS], None, link)


def _text_of(kind: str, body: Mapping[str, Any]) -> str:
    if kind.startswith("alert."):
        return str(body["text"])
    if kind == AlertCondition.SCHEDULE_MISSED:
        return f"schedule {body['name']} was missed"
    topic = about_event(kind, None, body)
    return f"{topic.text}: {topic.why}" if topic.why else topic.text


def _done(entry: AuditRow) -> str:
    action = _ACTIONS.get(entry.action, entry.action)
    text = f"{action} {entry.target.removeprefix('problem ')}"
    change = audit_entry_of(entry).change
    if change:
        text += f" ({change})"
    return f"{text}: {entry.reason}" if entry.reason else text


def _link(about: str, name: str) -> str:
    if about == "job" and name.isdigit():
        return f"/ui/jobs/{name}"
    page = _PAGES.get(about, "/")
    return f"{page}#{about}-{name}" if name and about in _WITH_ROWS else page
