"""Write the configured queues, schedules and alerts into the database.

The supervisor does this; without one, a worker that runs alone does. The jobs of schedules and
alerts are checked before.
"""

from collections.abc import Mapping

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.alerts import refused_alerts
from orpheus.shared.operations.schedules import refused_schedules
from orpheus.shared.storage import Store, TypeRow

log = get_logger()


def write_settings(store: Store, settings: StoredSettings) -> None:
    """Write queues, schedules, alerts and hidden fields. The job types must be stored already.

    Raises ConfigurationError, which names each schedule and alert whose job would not be accepted;
    then nothing is written.
    """
    if settings.schedules or settings.alerts:
        refused = refused_entries({row.name: row for row in store.types.all()}, settings)
        if refused:
            raise ConfigurationError(*(f"{table}: {why}" for (table, _), why in refused.items()))
    store.events.last_seq()  # numbers the events so far, which new rules of alerts do not count
    with store.write(durable=False):
        store.queues.configure(settings.queues)
        taken_over = store.schedules.configure(settings.schedules)
        store.alerts.configure(settings.alerts)
        store.hidden.configure(settings.hide)
    for name in taken_over:
        log.warning(
            "schedule_taken_over",
            schedule=name,
            reason="a program had put it; now it is as the configuration file says",
        )


def refused_entries(
    types: Mapping[str, TypeRow], settings: StoredSettings
) -> dict[tuple[str, int], str]:
    """Return why the job of a schedule or an alert would not be accepted, by table and index."""
    return dict([*refused_schedules(types, settings), *refused_alerts(types, settings)])
