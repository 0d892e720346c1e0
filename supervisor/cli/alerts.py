"""Alerts: the rules, and when each fired last."""

from collections.abc import Mapping
from typing import Any

import click

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.words import plural
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import Store
from orpheus.shared.views.alerts import alerts_json
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import ago, duration, print_items
from orpheus.supervisor.cli.table import Column

_COLUMNS = (
    Column("ALERT", least=12),
    Column("ON", least=16, enough=20),
    Column("TYPE", 2),
    Column("EVERY", 3),
    "LAST FIRED",
    Column("LAST JOB", least=12, enough=lambda cell: len(" ".join(cell.split()[:2]))),
    Column("HELD BACK", 1),
)


@click.command()
@for_operator
def alerts(operator: Operator) -> None:
    """List the rules of [[alerts]] and when each fired last."""
    with operator.store() as store:
        items = alerts_json(store)
        rows = [_alert_row(one, _became(store, one["last_job"])) for one in items]
    print_items(items, _COLUMNS, rows, as_json=operator.as_json)


def _became(store: Store, job_id: int | None) -> str | None:
    """Return what became of the job of an alert: `17 done`, `18 pending after 5 attempts`."""
    if job_id is None:
        return None
    try:
        job = store.jobs.get(job_id)
    except NotFound:
        return f"{job_id} deleted"
    waits = job.attempt and job.status is Status.PENDING
    after = f" after {plural(job.attempt, 'attempt')}" if waits else ""
    return f"{job_id} {job.status}{after}"


def _alert_row(item: Mapping[str, Any], became: str | None) -> tuple[object, ...]:
    counted = f" ({item['after']} in {duration(item['within'])})" if item["within"] else ""
    return (
        item["name"],
        ", ".join(item["on"]) + counted,
        item["type"],
        duration(item["every"]),
        item["last_fired"] and ago(item["last_fired"]),
        became,
        item["held_back"] or None,
    )
