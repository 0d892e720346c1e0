"""Alerts: the rules, and when each fired last."""

import click

from orpheus.shared.messages.alerts import Alert, alerts_of
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import Column, ago, count, duration, print_items

_COLUMNS = (
    Column("ALERT", least=12),
    Column("ON", least=16),
    Column("TYPE", 2),
    Column("EVERY", 3),
    "LAST FIRED",
    "LAST JOB",
    Column("SUPPRESSED", 1),
)


@click.command()
@for_operator
def alerts(operator: Operator) -> None:
    """List the alert rules and when each last fired."""
    with operator.store() as store:
        items = alerts_of(store).items
    print_items(items, _COLUMNS, map(_row, items), as_json=operator.as_json)


def _row(item: Alert) -> tuple[object, ...]:
    counted = f" ({item.after} in {duration(item.within)})" if item.within else ""
    return (
        item.name,
        ", ".join(item.on) + counted,
        item.type,
        duration(item.every),
        ago(item.last_fired),
        item.last_job,
        count(item.held_back or None),
    )
