"""The slots of a supervisor that is not there."""

import os
from typing import Any

from orpheus.shared.domain.processes import Role, SlotRecord, SlotState


def slot(name: str, state: SlotState, **changes: Any) -> SlotRecord:
    """A slot as a supervisor writes it."""
    role = {"supervisor": Role.SUPERVISOR, "api": Role.API}.get(name, Role.WORKER)
    fields: dict[str, Any] = {
        "host": "host-1",
        "slot": name,
        "pool": "default" if role is Role.WORKER else None,
        "role": role,
        "state": state,
        "degraded": False,
        "reason": "",
        "pid": os.getpid(),
        "incarnation": f"life-of-{name}",
        "cpu_percent": None,
        "rss_bytes": None,
        "started_at_ms": 0,
        "restarts": 0,
        "exits": (),
    }
    return SlotRecord(**{**fields, **changes})
