"""Which entries of the configuration could not make their jobs: schedules and alerts."""

from collections.abc import Mapping

from orpheus.shared.domain.handover import StoredSettings
from orpheus.shared.operations.alerts import refused_alerts
from orpheus.shared.operations.schedules import refused_schedules
from orpheus.shared.storage import TypeRow


def refused_entries(
    types: Mapping[str, TypeRow], settings: StoredSettings
) -> dict[tuple[str, int], str]:
    """Return why the job of a schedule or an alert would not be accepted, by table and index."""
    return dict([*refused_schedules(types, settings), *refused_alerts(types, settings)])
