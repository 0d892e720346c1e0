"""`orpheus errors`: failed jobs by their errors."""

from collections.abc import Mapping
from typing import Any

import click

from orpheus.shared.views.errors import error_group_json
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_items, roughly_ago
from orpheus.supervisor.cli.table import Column

_NAME = 26
"""How much of a type or an error is wanted, with a mark: it is typed again for `orpheus retry`."""
_COLUMNS = (
    Column("TYPE", least=12, enough=_NAME),
    Column("ERROR", least=12, enough=_NAME),
    Column("WHERE", 2, least=16, enough=16),
    "JOBS",
    Column("LAST HOUR", 4),
    Column("OLDEST", 5),
    Column("LAST", 3),
    "NEWEST",
    Column("MESSAGE", 1, least=16, enough=20),
)


@click.command()
@for_operator
def errors(operator: Operator) -> None:
    """Count the failed jobs by type, error and location.

    MESSAGE is that of the job NEWEST, which failed last; after `e.g.` others have another.
    """
    with operator.store() as store:
        items = [error_group_json(group) for group in store.errors.groups()]
    print_items(items, _COLUMNS, map(_row, items), as_json=operator.as_json)


def _row(item: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        item["type"],
        item["error"],
        item["where"],
        item["count"],
        item["last_hour"],
        roughly_ago(item["first_seen"]),
        roughly_ago(item["last_seen"]),
        item["newest"],
        f"{'e.g. ' if item['messages'] > 1 else ''}{item['message']}",
    )
