"""`orpheus timeline`: what happened to the system, and what operators did."""

import click

from orpheus.shared.domain.job_filter import span_problems
from orpheus.shared.explain.timeline import timeline_item_of
from orpheus.shared.messages.timeline import TimelineItem
from orpheus.supervisor.cli.operator import Moment, Operator, Text, for_operator
from orpheus.supervisor.cli.output import Column, local_time, print_items, say_none

_COLUMNS = (
    "AT",
    Column("KIND", 2),
    Column("SUBJECT", 1, least=12),
    Column("BY", 3, least=10),
    Column("TEXT", least=24),
)


@click.command()
@click.option("--since", "since_ms", type=Moment(), help="At or after: 1h, 14:02, yesterday.")
@click.option("--until", "until_ms", type=Moment(), help="Before this time.")
@click.option("--search", type=Text(200), help="With this text.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@for_operator
def timeline(
    operator: Operator, since_ms: int | None, until_ms: int | None, search: str | None, limit: int
) -> None:
    """List what happened, newest first: workers, queues, schedules, alerts, operators."""
    for problem in span_problems(since_ms, until_ms, "--"):
        raise click.BadParameter(problem.detail, param_hint="--until")
    with operator.store() as store:
        found = store.timeline.find(limit + 1, since_ms=since_ms, until_ms=until_ms, q=search)
        many = store.has_many_hosts
    items = [timeline_item_of(row, has_many_hosts=many) for row in found[:limit]]
    print_items(items, _COLUMNS, map(_row, items), as_json=operator.as_json)
    if not items and not operator.as_json:
        say_none("event")
    if len(found) > limit and not operator.as_json:
        click.echo(f"only the newest {limit:,}: add --limit, --since or --until", err=True)


def _row(item: TimelineItem) -> tuple[object, ...]:
    return local_time(item.at), item.kind, item.subject, item.by, item.text
