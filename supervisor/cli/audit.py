"""`orpheus audit`: what operators did."""

import math
import re
from typing import Any

import click

from orpheus.shared.domain.job_filter import span_problems
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import NotFound
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import ACTIONS, AuditFilter, AuditRow, Budget
from orpheus.shared.views.audit import audit_json, change_of
from orpheus.supervisor.cli.job_filter import Moment
from orpheus.supervisor.cli.once import once
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator
from orpheus.supervisor.cli.output import (
    local_time,
    print_json,
    print_table,
    print_whole,
    say_none,
    short_time,
)
from orpheus.supervisor.cli.table import Column, fields_of
from orpheus.supervisor.cli.whole_number import CommandWithNumber, WholeNumber

_MOST_OF_CHANGE = 21
_MOST_OF_TARGET = 25
_MOST_OF_FILTER = 22


def _name_of(target: str) -> int:
    """Return how many characters identify a target; of a bulk change, its filter without `id<=`."""
    if target.startswith("jobs "):
        return min(len(target.partition(", id<=")[0]), _MOST_OF_FILTER)
    return min(len(target.partition(", ")[0]), _MOST_OF_TARGET)


def _states_of(change: str) -> int:
    """Return how many characters of a change are the states before and after, without details."""
    return min(len(re.split(", |: ", change)[0]), _MOST_OF_CHANGE)


_COLUMNS = (
    "ID",
    "AT",
    Column("BY", 1, least=8, enough=len("api:192.168.100.23")),
    "ACTION",
    Column("ON", least=10, enough=_name_of),
    Column("CHANGE", 4, least=18, enough=_states_of),
    Column("COUNT", 3, usual="1"),
    Column("REASON", 1, least=8, enough=12),
)


@click.command(cls=CommandWithNumber)
@click.argument("entry", type=JobId, metavar="[ID]", required=False)
@once(
    "--by",
    type=Text(),
    metavar="TEXT",
    help="Only entries by someone whose name contains this text.",
)
@once(
    "--action",
    type=click.Choice(ACTIONS),
    metavar="ACTION",
    help=f"Only entries of this action: {', '.join(ACTIONS)}.",
)
@once(
    "--target",
    type=Text(),
    metavar="WORDS",
    help="Only entries whose target begins with these words: queue, 'queue mail', job, 'job 7' "
    "(alone or among others).",
)
@once("--q", type=Text(), metavar="TEXT", help="Only entries with this text in target or reason.")
@once(
    "--since",
    "since_ms",
    type=Moment(),
    metavar="TIME",
    help="Only entries made at or after this time, such as 2026-01-31T12:00:00Z or 7d (ago).",
)
@once(
    "--until", "until_ms", type=Moment(), metavar="TIME", help="Only entries made before this time."
)
@once("--before", type=JobId, metavar="ID", help="Only entries older than this one.")
@once("--limit", type=WholeNumber(1, 10_000), metavar="N", default=50, show_default=True)
@for_operator
def audit(
    operator: Operator, entry: int | None, before: int | None, limit: int, **fields: Any
) -> None:
    """List what operators did, newest first: who, what, when, why; of entry ID, tell all."""
    wanted = AuditFilter(**fields)
    if entry is not None:
        if before is not None or wanted != AuditFilter():
            raise click.UsageError("give the ID of an entry or a filter, not both")
        _show(operator, entry)
        return
    for problem in span_problems(wanted.since_ms, wanted.until_ms, "--"):
        raise click.UsageError(f"--{problem.pointer[1:]} {problem.detail}")
    if wanted.target is not None and not wanted.target_words:
        raise click.UsageError("--target must have a word")
    with operator.store() as store:
        found = store.audit.find(wanted, limit, before, Budget(math.inf))
    if operator.as_json:
        items = [audit_json(row) for row in found.rows]
        print_json({"items": items, "next_before": found.before_id})
        return
    print_table(_COLUMNS, map(_row, found.rows), all_of_one="orpheus audit ID")
    if not found.rows:
        say_none("entry")
    if found.before_id is not None:
        click.echo(f"older ones: --before {found.before_id}", err=True)


def _show(operator: Operator, entry: int) -> None:
    """Print all of one entry, and nothing is cut."""
    with operator.store() as store:
        rows = store.audit.find(AuditFilter(), 1, min(entry + 1, LARGEST_ID), Budget(math.inf)).rows
    if not rows or rows[0].id != entry:
        raise NotFound(f"the audit log has no entry {entry}")
    if operator.as_json:
        print_json(audit_json(rows[0]))
        return
    print_whole({**fields_of(_COLUMNS, _row(rows[0])), "at": local_time(rfc3339(rows[0].at_ms))})


def _row(row: AuditRow) -> tuple[object, ...]:
    when = short_time(rfc3339(row.at_ms))
    return row.id, when, row.by, row.action, row.target, change_of(row), row.count, row.reason
