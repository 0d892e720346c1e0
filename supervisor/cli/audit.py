"""`orpheus audit`: what operators did."""

import math
from typing import Any

import click

from orpheus.shared.domain.job_filter import span_problems
from orpheus.shared.messages.audit import AuditEntry, audit_entry_of
from orpheus.shared.storage import ACTIONS, AuditFilter, Budget
from orpheus.supervisor.cli.job_filter import Moment
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator
from orpheus.supervisor.cli.output import Column, local_time, print_json, print_table, say_none

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
_TARGET = "Only entries whose target begins with these words: 'queue mail', 'job 7'."


@click.command()
@click.option("--by", type=Text(), help="Only entries by someone whose name contains this text.")
@click.option("--action", type=click.Choice(ACTIONS), metavar="ACTION", help="Only this action.")
@click.option("--target", type=Text(), metavar="WORDS", help=_TARGET)
@click.option("--q", type=Text(), help="Only entries with this text in target or reason.")
@click.option("--since", "since_ms", type=Moment(), metavar="TIME", help="Only entries since then.")
@click.option("--until", "until_ms", type=Moment(), metavar="TIME", help="Only entries before.")
@click.option("--before", type=JobId, metavar="ID", help="Only entries older than this one.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@for_operator
def audit(operator: Operator, before: int | None, limit: int, **fields: Any) -> None:
    """List what operators did, newest first: who, what, when, why."""
    wanted = AuditFilter(**fields)
    for problem in span_problems(wanted.since_ms, wanted.until_ms, "--"):
        raise click.UsageError(f"--{problem.pointer[1:]} {problem.detail}")
    if wanted.target is not None and not wanted.target_words:
        raise click.UsageError("--target must have a word")
    with operator.store() as store:
        found = store.audit.find(wanted, limit, before, Budget(math.inf))
    items = [audit_entry_of(row) for row in found.rows]
    if operator.as_json:
        print_json({"items": items, "next_before": found.before_id})
        return
    print_table(_COLUMNS, map(_row, items))
    if not items:
        say_none("entry")
    if found.before_id is not None:
        click.echo(f"older ones: --before {found.before_id}", err=True)


def _row(item: AuditEntry) -> tuple[object, ...]:
    at = local_time(item.at)
    return item.id, at, item.by, item.action, item.target, item.change, item.count, item.reason
