"""Alerts: the rules, and when each fired last."""

from collections.abc import Mapping
from typing import Any

import click

from orpheus.shared.errors import ExitCode
from orpheus.shared.views.alerts import alerts_json
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import duration, local_time, print_items
from orpheus.supervisor.cli.table import Column

_COLUMNS = (
    "ALERT",
    Column("ON", least=16),
    Column("TYPE", 2),
    Column("EVERY", 3),
    "LAST FIRED",
    Column("LAST JOB", 1),
    "HELD BACK",
)


@click.command()
@for_operator
def alerts(operator: Operator) -> int:
    """List the rules of [[alerts]] and when each fired last."""
    with operator.store() as store:
        items = alerts_json(store)
    print_items(items, _COLUMNS, _alert_row, as_json=operator.as_json)
    return ExitCode.OK


def _alert_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    counted = f" ({item['after']} in {duration(item['within'])})" if item["within"] else ""
    return (
        item["name"],
        ", ".join(item["on"]) + counted,
        item["type"],
        duration(item["every"]),
        item["last_fired"] and local_time(item["last_fired"]),
        item["last_job"],
        item["held_back"] or None,
    )
