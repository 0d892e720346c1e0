"""Which supervisors run on a database, by their heartbeats and the locks that they hold."""

from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.process.supervisor_lock import is_gone
from orpheus.shared.storage import Store


def living_supervisors(store: Store, beat_timeout_s: float) -> list[ProcessRecord]:
    """Return the supervisors that beat, without those of this host that are certainly gone."""
    return [
        record
        for record in store.processes.all()
        if record.role is Role.SUPERVISOR
        and (age_ms := store.processes.silent_ms(record)) is not None
        and age_ms < beat_timeout_s * 1000
        and not is_gone(store.state.lock, record.incarnation)
    ]


def is_supervised(store: Store, beat_timeout_s: float) -> bool:
    """Return whether a supervisor is running on this database."""
    return bool(living_supervisors(store, beat_timeout_s))
