"""`orpheus audit`: what operators did."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import click

from orpheus.shared.durations import parse_duration_s
from orpheus.shared.errors import ExitCode
from orpheus.shared.storage import AuditRow, Store
from orpheus.shared.views.audit import audit_json
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator
from orpheus.supervisor.cli.output import print_json, print_table
from orpheus.supervisor.cli.table import Column

_ROWS_AT_ONCE = 500
_COLUMNS = (
    Column("ID", 2),
    "AT",
    Column("BY", least=12),
    "ACTION",
    Column("ON", least=12),
    Column("COUNT", 1),
    Column("REASON", least=20),
)


@click.command()
@click.option("--by", type=Text(), metavar="TEXT", help="Only of who has this text in the name.")
@click.option("--action", type=Text(), metavar="ACTION", help="Only this action, such as cancel.")
@click.option("--target", type=Text(), metavar="TEXT", help="Only on what has this text in it.")
@click.option("--since", metavar="DURATION", help="Only of this time: 30m, 12h, 7d.")
@click.option("--before", type=JobId, metavar="ID", help="Only entries older than this one.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@for_operator
def audit(
    operator: Operator,
    by: str | None,
    action: str | None,
    target: str | None,
    since: str | None,
    before: int | None,
    limit: int,
) -> int:
    """List what operators did, newest first: who, what, when, why."""
    longest_ms = None if since is None else _milliseconds(since)

    def is_wanted(row: AuditRow) -> bool:
        return (
            (by is None or by in row.by)
            and (action is None or action == row.action)
            and (target is None or target in row.target)
        )

    with operator.store() as store:
        since_ms = 0 if longest_ms is None else store.clock.wall_ms() - longest_ms
        wanted = filter(is_wanted, _entries(store, before, since_ms))
        rows = list(islice(wanted, limit + 1))
    shown, has_more = rows[:limit], len(rows) > limit
    next_before = shown[-1].id if has_more else None
    if operator.as_json:
        print_json({"items": list(map(audit_json, shown)), "next_before": next_before})
        return ExitCode.OK
    print_table(_COLUMNS, map(_row, shown))
    if has_more:
        click.echo(f"older ones: --before {next_before}", err=True)
    return ExitCode.OK


def _milliseconds(since: str) -> int:
    try:
        return int(parse_duration_s(since) * 1000)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _entries(store: Store, before_id: int | None, since_ms: int) -> Iterator[AuditRow]:
    """Yield the entries from `since_ms` on, newest first, reading no more than are taken."""
    while rows := store.audit.page(_ROWS_AT_ONCE, before_id):
        for row in rows:
            if row.at_ms < since_ms:
                return
            yield row
        before_id = rows[-1].id


def _row(row: AuditRow) -> tuple[object, ...]:
    at = datetime.fromtimestamp(row.at_ms / 1000).astimezone()
    return row.id, f"{at:%Y-%m-%d %H:%M:%S}", row.by, row.action, row.target, row.count, row.reason
