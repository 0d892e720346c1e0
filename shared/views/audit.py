"""Entries of the audit log as GET /audit lists them."""

from typing_extensions import TypedDict

from orpheus.shared.storage import AuditRow
from orpheus.shared.views.values import Time, rfc3339


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
    }
