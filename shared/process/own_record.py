"""The heartbeat row with which a process announces itself."""

import os

from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.process.clock import Clock, create_time_s


def own_record(
    clock: Clock,
    host: str,
    role: Role,
    slot: str,
    incarnation: str,
    *,
    pool: str | None = None,
    ready: bool = False,
    places: int = 1,
    build: str = "",
) -> ProcessRecord:
    """Return the first heartbeat row of the process that calls it."""
    pid = os.getpid()
    return ProcessRecord(
        host=host,
        incarnation=incarnation,
        slot=slot,
        pool=pool,
        role=role,
        pid=pid,
        create_time_s=create_time_s(pid),
        boot_id=clock.boot_id,
        started_at_ms=clock.wall_ms(),
        ready=ready,
        beat=0,
        last_beat_mono_ms=clock.monotonic_ms(),
        places=places,
        build=build,
    )
