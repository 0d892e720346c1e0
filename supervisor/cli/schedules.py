"""Schedules: list, run, pause and resume them."""

import click

from orpheus.shared.messages.jobs import listed_job_of
from orpheus.shared.messages.schedules import (
    LastResult,
    Schedule,
    schedule_of,
    schedules_of,
)
from orpheus.shared.operations import operator_actions
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import (
    Column,
    already_paused,
    duration,
    paused_by,
    print_items,
    time_in,
)

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


@click.group(invoke_without_command=True)
@for_operator
def schedules(operator: Operator) -> None:
    """List schedules and when they run next; run or pause one."""
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
        _outcome(item.last_job, item.last_result),
        "paused" if item.paused else next_run,
        then,
        paused_by(item.pause),
    )


def _outcome(job_id: int | None, result: LastResult | None) -> str | None:
    """Return what became of a job: `17 done`, `18 failed (TimeoutError)`."""
    if job_id is None or result is None:
        return None
    error = f" ({result.error})" if result.error else ""
    return f"{job_id} {result.status}{error}"


@schedules.command()
@_of_schedule
@with_reason
@for_operator
def run(operator: Operator, name: str, reason: str | None) -> None:
    """Submit the job of a schedule now; its regular times do not change."""
    from orpheus.shared.operations.stored_settings import job_maker  # noqa: PLC0415 - only here

    with operator.opened() as (store, handover):
        make_job = job_maker(store, handover.defaults)
        job_id = operator_actions.run_schedule(store, operator.actor(reason), name, make_job)
        job = store.jobs.get(job_id)
    operator.answer(listed_job_of(job), f"schedule {name}: job {job.id} submitted")


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
