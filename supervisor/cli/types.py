"""`orpheus types`: the job types and their payloads, or what their attempts cost."""

import json
from collections.abc import Mapping
from typing import Any

import click

from orpheus.shared.domain.jobs import Outcome
from orpheus.shared.text import first_line
from orpheus.shared.views.job_types import types_json
from orpheus.shared.views.type_stats import types_stats_json
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import duration, mebibytes, print_items
from orpheus.supervisor.cli.table import Column

_OF_TYPES = (
    Column("TYPE", least=16),
    "STATE",
    Column("PAYLOAD", least=16),
    Column("QUEUE", 3),
    Column("RETRIES", 2),
    Column("TIMEOUT", 1),
    Column("DESCRIPTION", least=24),
)
_OF_STATS = (
    Column("TYPE", least=12),
    "SUCCEEDED",
    "OTHERWISE",
    Column("SNOOZED", 3),
    Column("LAST HOUR", 1),
    Column("RUN P50", 4),
    "RUN P95",
    Column("WAIT P50", 6),
    Column("WAIT P95", 2),
    Column("CPU P50", 7),
    Column("CPU P95", 5),
    Column("CPU IN ALL", 3),
    Column("PEAK MEMORY", 1),
)
_STATS = "What their attempts cost instead: time, CPU, memory. Only LAST HOUR counts jobs."


@click.command()
@click.option("--stats", is_flag=True, help=_STATS)
@for_operator
def types(operator: Operator, stats: bool) -> None:
    """List the job types and their payloads."""
    with operator.opened() as (store, handover):
        if stats:
            costs = types_stats_json(store)
            print_items(costs, _OF_STATS, map(_stats_row, costs), as_json=operator.as_json)
            return
        items = types_json(store, handover.defaults)
        fields = {row.name: _fields_of(row.schema) for row in store.types.all()}

    def row(item: Mapping[str, Any]) -> tuple[object, ...]:
        defaults, description = item["defaults"], first_line(item["description"])
        retries, timeout = defaults["max_retries"], duration(defaults["timeout"])
        several = f"open, {item['versions']} versions" if item["versions"] > 1 else "open"
        state = "quarantined" if item["quarantine"] else several
        name, queue = item["name"], defaults["queue"]
        return name, state, fields.get(name), queue, retries, timeout, description

    print_items(items, _OF_TYPES, map(row, items), as_json=operator.as_json)


def _fields_of(schema_json: str) -> str:
    """Return the fields of a payload: `path width?`; `?` marks those that may be left out."""
    schema = json.loads(schema_json)
    required = schema.get("required", ())
    return " ".join(n if n in required else f"{n}?" for n in schema.get("properties", ()))


def _stats_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    succeeded = item["ended"].get(Outcome.SUCCEEDED, 0)
    snoozed = item["ended"].get(Outcome.SNOOZED, 0)
    return (
        item["name"],
        succeeded,
        sum(item["ended"].values()) - succeeded - snoozed,
        snoozed or None,
        _in_words(item["last_hour"]),
        *(
            duration(item[times][part])
            for times in ("run_s", "wait_s", "cpu_s")
            for part in ("p50", "p95")
        ),
        duration(item["cpu_total_s"]),
        mebibytes(item["max_rss_bytes"]),
    )


def _in_words(ended: Mapping[str, int]) -> str | None:
    """Return how many jobs ended: "12 done, 3 failed"."""
    return ", ".join(f"{n} {status}" for status, n in ended.items() if n) or None
