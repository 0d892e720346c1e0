"""`orpheus types`: the job types and their payloads, or what their attempts cost."""

import json
from collections.abc import Mapping
from typing import Any

import click

from orpheus.shared.text import first_line
from orpheus.shared.views.job_types import types_json
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import duration, print_items
from orpheus.supervisor.cli.table import Column
from orpheus.supervisor.cli.type_stats import print_type_stats

_OF_TYPES = (
    Column("TYPE", least=16),
    "STATE",
    Column("PAYLOAD", least=16),
    Column("QUEUE", 3),
    Column("RETRIES", 2),
    Column("TIMEOUT", 1),
    Column("DESCRIPTION", least=24),
)
_STATS = "What their attempts cost instead: time, CPU, memory. Only LAST HOUR counts jobs."


@click.command()
@click.option("--stats", is_flag=True, help=_STATS)
@for_operator
def types(operator: Operator, stats: bool) -> None:
    """List the job types and their payloads."""
    with operator.opened() as (store, handover):
        if stats:
            print_type_stats(store, as_json=operator.as_json)
            return
        items = types_json(store, handover.defaults)
        fields = {row.name: _fields_of(row.schema) for row in store.types.all()}

    def row(item: Mapping[str, Any]) -> tuple[object, ...]:
        defaults, description = item["defaults"], first_line(item["description"])
        retries, timeout = defaults["max_retries"], duration(defaults["timeout"])
        state = "quarantined" if item["quarantine"] else "open"
        name, queue = item["name"], defaults["queue"]
        return name, state, fields.get(name), queue, retries, timeout, description

    print_items(items, _OF_TYPES, row, as_json=operator.as_json)


def _fields_of(schema_json: str) -> str:
    """Return the fields of a payload: `path width?`; `?` marks those that may be left out."""
    schema = json.loads(schema_json)
    required = schema.get("required", ())
    return " ".join(n if n in required else f"{n}?" for n in schema.get("properties", ()))
