"""What the audit log of a store says."""

from orpheus.shared.storage import AuditRow, Store


def entries_of(
    store: Store, limit: int, before_id: int | None = None, job_id: int | None = None
) -> list[AuditRow]:
    """The newest entries_of, the newest first; `job_id`: of this job, alone or with others."""
    return store.audit.find(limit, before_id, job_id).rows
