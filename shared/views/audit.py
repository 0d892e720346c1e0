"""Entries of the audit log as GET /audit lists them."""

from typing_extensions import TypedDict

from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import AuditRow
from orpheus.shared.views.values import Time

_VERSION = "version "


class AuditEntry(TypedDict):
    """What an operator did."""

    id: int
    at: Time
    action: str
    target: str
    """`job 7`, `queue mail`, `slot default-1`, `jobs with …`."""
    by: str
    """`api:` and the client's address, or `cli:` and the user's name."""
    reason: str | None
    count: int
    """How many things it changed."""
    before: str | None
    """How the target stood before: `failed`, `running`, `2`; null: not known, or many targets."""
    after: str | None
    """How it stood after: `pending`, `paused`, `4`, `job 12`."""


def audit_json(row: AuditRow) -> AuditEntry:
    """Return one action of an operator."""
    return {
        "id": row.id,
        "at": rfc3339(row.at_ms),
        "action": row.action,
        "target": row.target,
        "by": row.by,
        "reason": row.reason,
        "count": row.count,
        "before": row.before,
        "after": row.after,
    }


def change_of(row: AuditRow) -> str | None:
    """Return how the target stood before and after, in words; None: it is not known."""
    if row.before is None or row.after is None:
        return row.after or (row.before and f"was {row.before}")
    if row.before == row.after:
        return f"still {row.after}"
    after = row.after.removeprefix(_VERSION if row.before.startswith(_VERSION) else "")
    return f"{row.before} → {after}"
