"""Releases quarantined types whose code has changed, once no worker runs the old code.

A worker with the old code would take their jobs at once, and crash again. The workers of a pool are
replaced one after the other, each when it has finished its job.
"""

from orpheus.shared.domain.processes import SILENT_MS, Role
from orpheus.shared.logs import get_logger
from orpheus.shared.storage import Store

log = get_logger()


def release_changed_types(store: Store) -> None:
    """Release the types whose new code every living worker was started with."""
    changed = store.quarantines.changed()
    if not changed:
        return
    started_ms = [
        row.started_at_ms
        for row in store.processes.all()
        if row.role is Role.WORKER and (store.processes.silent_ms(row) or 0) < SILENT_MS
    ]
    for name, since_ms in changed.items():
        if since_ms <= min(started_ms, default=since_ms):
            store.quarantines.release_changed(name)
            log.info("type_released", type=name, reason="its code has changed")
