"""Queues and schedules: list them, pause and resume queues."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from orpheus.shared.domain.jobs import Status
from orpheus.supervisor.cli.operator import Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import duration, print_json, print_table

_SHOWN_RUNS = 2


@click.command()
@for_operator
def queues(operator: Operator) -> int:
    """List queues: state, limits, jobs by status."""
    from orpheus.shared.views.queues import queues_json  # noqa: PLC0415 - the database, not for --help

    with operator.store() as store:
        items = queues_json(store)
    if operator.as_json:
        print_json({"items": items})
        return 0
    statuses = [status.value.upper() for status in Status]
    columns = ("QUEUE", "STATE", "MOST", "RATE", *statuses, "OLDEST", "DONE/MIN")
    print_table(columns, [_queue_row(item) for item in items])
    return 0


def _queue_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        item["name"],
        "paused" if item["paused"] else "open",
        item["max_running"] or None,
        item["rate"] or None,
        *(item["counts"][status.value] for status in Status),
        duration(item["oldest_pending_s"]),
        f"{item['done_per_minute']:.1f}",
    )


@click.command()
@click.argument("queue")
@with_reason
@for_operator
def pause(operator: Operator, queue: str, reason: str | None) -> int:
    """Start no job of QUEUE until it is resumed, through restarts."""
    return _set_paused(operator, queue, reason, paused=True)


@click.command()
@click.argument("queue")
@with_reason
@for_operator
def resume(operator: Operator, queue: str, reason: str | None) -> int:
    """Start jobs of QUEUE again."""
    return _set_paused(operator, queue, reason, paused=False)


def _set_paused(operator: Operator, queue: str, reason: str | None, *, paused: bool) -> int:
    from orpheus.shared.job_types.admission import NAME  # noqa: PLC0415
    from orpheus.shared.operations.audit import audited  # noqa: PLC0415 - the database, not for --help
    from orpheus.shared.views.queues import queues_json  # noqa: PLC0415

    if not NAME.fullmatch(queue):
        raise click.UsageError(f"{queue!r} is no name: it must match {NAME.pattern}")
    action = "pause" if paused else "resume"
    with operator.store() as store:
        verb = store.queues.pause if paused else store.queues.resume
        audited(store, operator.actor(reason), action, f"queue {queue}", lambda: verb(queue))
        if operator.as_json:
            print_json(next(item for item in queues_json(store) if item["name"] == queue))
        else:
            click.echo(f"queue {queue}: {action}d")
    return 0


@click.command()
@for_operator
def schedules(operator: Operator) -> int:
    """List schedules and when they run next."""
    from orpheus.shared.views.queues import schedules_json  # noqa: PLC0415 - the database, not for --help

    with operator.store() as store:
        items = schedules_json(store)
    if operator.as_json:
        print_json({"items": items})
        return 0
    columns = ("SCHEDULE", "TYPE", "WHEN", "TIMEZONE", "LAST RUN", "LAST JOB", "NEXT RUNS")
    print_table(columns, [_schedule_row(item) for item in items])
    return 0


def _schedule_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    next_runs = ", ".join(map(_local, item["next_runs"][:_SHOWN_RUNS])) or None
    return (
        item["name"],
        item["type"],
        item["cron"] or f"every {duration(item['every'])}",
        item["timezone"],
        item["last_run"] and _local(item["last_run"]),
        item["last_job"],
        "paused" if item["paused"] else next_runs,
    )


def _local(moment: str) -> str:
    """A moment in the time of this machine."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M:%S}"
