"""Schedules: list, put, delete, run, pause, resume and backfill them."""

import json
from typing import Any

import click

from orpheus.shared.domain.schedules import CatchUp, Overlap
from orpheus.shared.messages.jobs import listed_job_of
from orpheus.shared.messages.schedules import (
    Schedule,
    backfilled_of,
    schedule_of,
    schedules_of,
)
from orpheus.shared.operations import operator_actions
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Moment, Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import (
    Column,
    already_paused,
    duration,
    paused_by,
    print_items,
    time_in,
)
from orpheus.supervisor.cli.payload import payload_of

_of_schedule = click.argument("name", type=Text(), metavar="NAME")
_COLUMNS = (
    Column("SCHEDULE", least=12),
    Column("TYPE", 3, least=10),
    Column("WHEN", 1, least=12),
    Column("LAST RUN", 4),
    Column("LAST JOB", 2, least=16),
    "NEXT RUN",
    Column("THEN", 5),
    Column("PAUSED BY", 2, least=16),
)


_MOST_LISTED = 20


@click.group(invoke_without_command=True)
@for_operator
def schedules(operator: Operator) -> None:
    """List schedules and when they run next; run, pause or backfill one, put or delete one.

    `put` and `delete` are for schedules that the configuration file does not have.
    """
    if click.get_current_context().invoked_subcommand is None:
        with operator.store() as store:
            items = schedules_of(store).items
        print_items(items, _COLUMNS, map(_row, items), as_json=operator.as_json)


def _row(item: Schedule) -> tuple[object, ...]:
    zone = item.timezone
    runs = [time_in(run, zone) for run in item.next_runs[:2]]
    next_run, then = (*runs, None, None)[:2]
    return (
        item.name,
        item.type,
        item.cron or f"every {duration(item.every)}",
        item.last_run and time_in(item.last_run, zone),
        _outcome(item),
        "paused" if item.paused else next_run,
        then,
        paused_by(item.pause),
    )


def _outcome(item: Schedule) -> str | None:
    """Return what became of the last job: `17 done`, `18 failed (TimeoutError)`.

    And the time that was skipped as it had not ended: `19 in_progress, skipped 14:02`.
    """
    job_id, result = item.last_job, item.last_result
    if job_id is None or result is None:
        return None
    error = f" ({result.error})" if result.error else ""
    skipped = f", skipped {time_in(item.skipped.at, item.timezone)}" if item.skipped else ""
    return f"{job_id} {result.status}{error}{skipped}"


@schedules.command()
@_of_schedule
@with_reason
@for_operator
def run(operator: Operator, name: str, reason: str | None) -> None:
    """Submit the job of a schedule now; its regular times do not change."""
    from orpheus.shared.operations.schedules import job_maker  # noqa: PLC0415 - only here

    with operator.opened() as (store, handover):
        make_job = job_maker(store, handover.defaults)
        job_id = operator_actions.run_schedule(store, operator.actor(reason), name, make_job)
        job, hidden = store.jobs.get(job_id), store.hidden.rules()
    operator.answer(listed_job_of(job, hidden), f"schedule {name}: job {job.id} submitted")


@schedules.command()
@_of_schedule
@with_reason
@for_operator
def pause(operator: Operator, name: str, reason: str | None) -> None:
    """Stop submitting jobs of a schedule until it is resumed, even after restarts."""
    _set_paused(operator, name, reason, paused=True)


@schedules.command()
@_of_schedule
@with_reason
@for_operator
def resume(operator: Operator, name: str, reason: str | None) -> None:
    """Submit jobs of a schedule again; times missed in between are skipped."""
    _set_paused(operator, name, reason, paused=False)


def _set_paused(operator: Operator, name: str, reason: str | None, *, paused: bool) -> None:
    with operator.store() as store:
        standing = operator_actions.pause_schedule(
            store, operator.actor(reason), name, paused=paused
        )
        item = schedule_of(store, store.schedules.get(name))
    runs = [f", next run {time_in(at, item.timezone)}" for at in item.next_runs[:1]]
    done = already_paused(standing, reason) if standing else "paused" if paused else "resumed"
    operator.answer(item, f"schedule {name}: {done}{''.join(runs)}")


@schedules.command()
@_of_schedule
@click.argument("type", metavar="TYPE", shell_complete=live("types"))
@click.argument("payload", nargs=-1, metavar="[JSON | KEY=VALUE…]")
@click.option("--cron", metavar="CRON", help='When: "0 3 * * *".')
@click.option("--every", metavar="DURATION", help="Or how often: 15m.")
@click.option("--timezone", metavar="ZONE", help="That of --cron; default: UTC.")
@click.option("--queue", metavar="QUEUE", help="Default: the type's, or `default`.")
@click.option("--priority", type=int, default=0, help="-1000 to 1000; higher runs first.")
@click.option(
    "--catch-up",
    type=click.Choice([word.value for word in CatchUp]),
    metavar="WHICH",
    help="Which missed runs to make up for: one (the default), none or all.",
)
@click.option(
    "--overlap",
    type=click.Choice([word.value for word in Overlap]),
    metavar="WHAT",
    help="allow (the default), or skip: no job while the last one has not ended.",
)
@click.option("--jitter", metavar="DURATION", help="Each job waits for a random time up to this.")
@with_reason
@for_operator
def put(
    operator: Operator,
    name: str,
    type: str,
    payload: tuple[str, ...],
    reason: str | None,
    **fields: Any,
) -> None:
    """Add a schedule, or change one that was put before. The payload is as for `submit`."""
    from orpheus.shared.operations.schedules import put_schedule  # noqa: PLC0415 - only here

    with operator.opened() as (store, handover):
        types = {row.name: row for row in store.types.all()}
        schema = json.loads(types[type].schema) if type in types else {}
        given = fields | {"type": type, "payload": payload_of(payload, schema)}
        done = put_schedule(store, operator.actor(reason), handover.defaults, name, given)
        item = schedule_of(store, store.schedules.get(name))
    runs = [f", next run {time_in(at, item.timezone)}" for at in item.next_runs[:1]]
    paused = ", paused" if item.paused else ""
    operator.answer(item, f"schedule {name}: {done}{paused}{''.join(runs)}")


@schedules.command()
@_of_schedule
@with_reason
@for_operator
def delete(operator: Operator, name: str, reason: str | None) -> None:
    """Delete a schedule that was put; its jobs stay."""
    from orpheus.shared.operations.schedules import remove_schedule  # noqa: PLC0415 - only here

    with operator.store() as store:
        remove_schedule(store, operator.actor(reason), name)
    operator.answer({"deleted": name}, f"schedule {name}: deleted")


@schedules.command()
@_of_schedule
@click.option(
    "--since", "since_ms", type=Moment(), required=True, help="From this time on: 7d, 2026-12-01."
)
@click.option("--until", "until_ms", type=Moment(), default="0s", help="Before it; default: now.")
@click.option("--dry-run", is_flag=True, help="Only show which jobs are missing.")
@with_reason
@for_operator
def backfill(
    operator: Operator,
    name: str,
    since_ms: int,
    until_ms: int,
    dry_run: bool,
    reason: str | None,
) -> None:
    """Submit the jobs of past times that have none, at most 10,000.

    A job that has been deleted since counts as missing: look at the dry run first.
    """
    from orpheus.shared.operations.schedules import backfill_schedule  # noqa: PLC0415 - only here

    if since_ms >= until_ms:
        raise click.UsageError("--since must be before --until")
    with operator.opened() as (store, handover):
        done = backfilled_of(
            backfill_schedule(
                store,
                operator.actor(reason),
                handover.defaults,
                name,
                since_ms,
                until_ms,
                dry_run=dry_run,
            )
        )
        zone = store.schedules.get(name).definition.timezone
    missing = [time_in(at, zone) for at in done.missing]
    span = f" ({missing[0]} to {missing[-1]})" if missing else ""
    verb = "would be submitted" if dry_run else "submitted"
    words = f"{done.ticks} times, {len(missing)} without a job{span}: {len(missing)} jobs {verb}"
    listed = missing[:_MOST_LISTED] if dry_run else []
    more = [f"and {len(missing) - len(listed)} more: --json lists all"] if listed < missing else []
    lines = [
        f"schedule {name}: {words}",
        *(f"  {at}" for at in [*listed, *(more if listed else [])]),
    ]
    operator.answer(done, "\n".join(lines))
