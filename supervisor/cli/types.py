"""Job types: list them and how they fail; release quarantined ones."""

import json

import click

from orpheus.shared.messages.errors import ErrorGroup, error_groups_of
from orpheus.shared.messages.job_types import (
    JobType,
    TypeState,
    job_types_of,
)
from orpheus.shared.operations.operator_actions import release_type
from orpheus.shared.text import first_line
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import Column, ago, count, duration, print_items

_OF_TYPES = (
    Column("TYPE", least=16),
    "STATE",
    Column("PAYLOAD", least=16),
    Column("QUEUE", 3),
    Column("RETRIES", 2),
    Column("TIMEOUT", 1),
    Column("DESCRIPTION", least=24),
)
_OF_ERRORS = (
    Column("TYPE", least=20),
    Column("ERROR", least=20),
    Column("WHERE", 2, least=16),
    "JOBS",
    Column("LAST HOUR", 4),
    Column("OLDEST", 5),
    Column("LAST", 3),
    "NEWEST",
    Column("MESSAGE", 1, least=16),
)


@click.command()
@for_operator
def types(operator: Operator) -> None:
    """List the job types and their payloads."""
    with operator.opened() as (store, handover):
        items = job_types_of(store, handover.defaults).items
        schemas = {row.name: row.schema for row in store.types.all()}
    rows = [_type_row(item, schemas.get(item.name, "{}")) for item in items]
    print_items(items, _OF_TYPES, rows, as_json=operator.as_json)


def _type_row(item: JobType, schema_json: str) -> tuple[object, ...]:
    schema, defaults = json.loads(schema_json), item.defaults
    required = schema.get("required", ())
    # A question mark is behind the fields that may be left out.
    fields = " ".join(n if n in required else f"{n}?" for n in schema.get("properties", ()))
    return (
        item.name,
        "quarantined" if item.quarantine else "open",
        fields,
        defaults.queue,
        defaults.max_retries,
        duration(defaults.timeout),
        first_line(item.description),
    )


@click.command()
@for_operator
def errors(operator: Operator) -> None:
    """Count the failed jobs by type, error and location.

    MESSAGE is the error of NEWEST, the job that failed last.
    """
    with operator.store() as store:
        items = error_groups_of(store.errors.groups()).items
    print_items(items, _OF_ERRORS, map(_error_row, items), as_json=operator.as_json)


def _error_row(item: ErrorGroup) -> tuple[object, ...]:
    return (
        item.type,
        item.error,
        item.where,
        count(item.count),
        count(item.last_hour),
        ago(item.first_seen),
        ago(item.last_seen),
        item.newest,
        item.message,
    )


@click.command()
@click.argument("type", type=Text(), shell_complete=live("types"))
@with_reason
@for_operator
def release(operator: Operator, type: str, reason: str | None) -> None:
    """Run jobs of a quarantined TYPE again.

    The type is quarantined again if its jobs crash as many workers.
    """
    with operator.store() as store:
        release_type(store, operator.actor(reason), type)
    operator.answer(TypeState(type, quarantine=None), f"type {type}: released")
