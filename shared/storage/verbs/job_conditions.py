"""Turns a filter of jobs into SQL, a condition for each of its fields, and into words."""

import json
from dataclasses import asdict

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Status
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage.database import Value
from orpheus.shared.storage.queries import SqlFile
from orpheus.shared.storage.verbs.conditions import Condition, containing

_COMPARED = {
    "type": "type = ?",
    "queue": "queue = ?",
    "tag": "job_tags.tag = ?",
    "error": "error_type = ?",
    "where": "error_where = ?",
    "since_ms": "finished_at_ms >= ?",
    "until_ms": "finished_at_ms < ?",
}
"""By field of the filter."""


def conditions_of(wanted: JobFilter, sql: SqlFile) -> dict[str, Condition]:
    """Return the condition of each field that is given, by its name; each must hold."""
    conditions: dict[str, Condition] = {}
    if wanted.status is not None:
        # Not as a value: PostgreSQL has one plan for all values, and some statuses are rare.
        conditions["status"] = Condition(f"status = '{Status(wanted.status)}'")
    for name, comparison in _COMPARED.items():
        value: Value = getattr(wanted, name)
        if value is not None:
            conditions[name] = Condition(comparison, (value,))
    if wanted.ids is not None:
        conditions["ids"] = Condition(f"\n{sql['among-ids']}\n", (json.dumps(wanted.ids),))
    if wanted.q is not None:
        conditions["q"] = Condition(f"({sql['contains']})", (containing(wanted.q),) * 4)
    return conditions


def words_of(wanted: JobFilter) -> list[str]:
    """Return each field that is given: `status=failed`, `since=2026-01-31T12:00:00.000Z`."""
    fields = asdict(wanted)
    for name in ("since", "until"):
        at_ms = fields.pop(f"{name}_ms")
        fields[name] = None if at_ms is None else rfc3339(at_ms)
    return [f"{name}={_shown(value)}" for name, value in fields.items() if value is not None]


def _shown(value: object) -> str:
    """Return a value; in quotes if it could be read as several fields."""
    text = str(value)
    is_plain = ", " not in text and '"' not in text
    return text if is_plain else json.dumps(text, ensure_ascii=False)
