"""Entries of the audit log."""

from msgspec import Struct

from orpheus.shared.messages.encoding import Time, optional_time, time_of
from orpheus.shared.storage import AuditRow, Pause

_VERSION = "version "


class AuditEntry(Struct, frozen=True):
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

    @property
    def change(self) -> str | None:
        """How the target stood before and after, in words; None: not known."""
        if self.before is None or self.after is None:
            return self.after or (self.before and f"was {self.before}")
        if self.before == self.after:
            return f"still {self.after}"
        after = self.after.removeprefix(_VERSION if self.before.startswith(_VERSION) else "")
        return f"{self.before} → {after}"


class By(Struct, frozen=True):
    """Who paused or resumed something, why, and when."""

    by: str | None
    """As in GET /audit; null: the configuration, or the audit log does not say."""
    reason: str | None
    at: Time | None


class AuditPage(Struct, frozen=True):
    """Operators' actions, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None
    """null on the last page."""


def pause_of(pause: Pause | None) -> By | None:
    """Return who paused or resumed a queue or a schedule; None for None."""
    return None if pause is None else By(pause.by, pause.reason, optional_time(pause.at_ms))


def audit_entry_of(row: AuditRow) -> AuditEntry:
    """Return one action of an operator."""
    return AuditEntry(
        row.id,
        time_of(row.at_ms),
        row.action,
        row.target,
        row.by,
        row.reason,
        row.count,
        row.before,
        row.after,
    )
