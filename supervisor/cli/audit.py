"""`orpheus audit`: what operators did."""

import click

from orpheus.shared.messages.audit import AuditEntry, audit_entry_of
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator
from orpheus.supervisor.cli.output import Column, count, local_time, print_json, print_table

_COLUMNS = (
    "ID",
    "AT",
    Column("BY", 1, least=12),
    "ACTION",
    Column("ON", least=16),
    Column("CHANGE", 4, least=18),
    Column("COUNT", 3),
    Column("REASON", 1, least=12),
)


@click.command()
@click.option("--before", type=JobId, metavar="ID", help="Only entries older than this one.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@for_operator
def audit(operator: Operator, before: int | None, limit: int) -> None:
    """List what operators did, newest first: who, what, when, why."""
    with operator.store() as store:
        found = store.audit.find(limit, before)
    items = [audit_entry_of(row) for row in found.rows]
    if operator.as_json:
        print_json({"items": items, "next_before": found.before_id})
        return
    print_table(_COLUMNS, map(_row, items))
    if found.before_id is not None:
        click.echo(f"older entries: --before {found.before_id}", err=True)


def _row(item: AuditEntry) -> tuple[object, ...]:
    at, jobs = local_time(item.at), count(item.count)
    return item.id, at, item.by, item.action, item.target, item.change, jobs, item.reason
