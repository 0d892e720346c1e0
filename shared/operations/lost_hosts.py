"""Forgets the processes of hosts that nobody has heard of for a while. The leader does it.

A supervisor deletes the rows of its own processes. It cannot if its host has died with it.
"""

from orpheus.shared.domain.processes import Role
from orpheus.shared.storage import Store

_PROCESS_KEPT_MS = 60_000
_HOST_KEPT_MS = 3_600_000
"""So long its slots are shown as lost."""


def forget_lost_hosts(store: Store) -> None:
    """Delete the rows of silent processes that hold no lease, and the slots of lost hosts.

    A process that is alive and was only cut off writes its row again.
    """
    if not store.has_many_hosts:
        return
    rows = store.processes.all()
    for row in rows:
        is_supervisor = row.role is Role.SUPERVISOR
        kept_ms = _HOST_KEPT_MS if is_supervisor else _PROCESS_KEPT_MS
        if (store.processes.silent_ms(row) or 0) <= kept_ms:
            continue
        if not store.processes.forget_without_leases(row.incarnation):
            continue
        others = [one for one in rows if one.host == row.host and one is not row]
        if is_supervisor and not any(one.role is Role.SUPERVISOR for one in others):
            store.processes.clear_slots(row.host)
