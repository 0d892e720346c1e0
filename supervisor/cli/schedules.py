"""Schedules: list, show, run, pause and resume them; `schedules pause` is `pause-schedule`."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import click

from orpheus.shared.messages.jobs import listed_job_of
from orpheus.shared.operations import operator_actions
from orpheus.shared.views.pauses import pause_json
from orpheus.shared.views.schedules import schedule_json, schedules_json
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.given import as_called
from orpheus.supervisor.cli.group import Group
from orpheus.supervisor.cli.operator import Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import (
    ago,
    duration,
    paused_by,
    print_json,
    print_table,
    print_whole,
    tell_pause,
    time_in,
)
from orpheus.supervisor.cli.processes import read_workers, tell_if_nothing_runs
from orpheus.supervisor.cli.table import Column, fields_of
from orpheus.supervisor.cli.unknown_names import warn_if_nothing_runs

_of_schedule = click.argument("name", type=Text(), metavar="NAME", shell_complete=live("schedules"))


def _status_of(outcome: str) -> int:
    """Return how much of `17 failed (ValueError)` says how it ended."""
    return len(outcome.partition(" (")[0])


_COLUMNS = (
    Column("SCHEDULE", least=12),
    Column("TYPE", 3, least=10),
    Column("WHEN", 1, least=12),
    Column("TIMEZONE", 6, usual="UTC"),
    Column("LAST RUN", 4),
    Column("LAST JOB", 2, least=10, enough=_status_of),
    "NEXT RUN",
    Column("THEN", 5),
    Column("PAUSED BY", 2, least=12, enough=24),
)


@click.group(cls=Group, invoke_without_command=True)
@for_operator
def schedules(operator: Operator) -> None:
    """List schedules and when they run next; show, run, pause or resume one."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    with operator.opened() as (store, handover):
        items, everything = schedules_json(store), read_workers(store, handover)
    times = [time for one in items for time in (one["last_run"], *one["next_runs"][:2]) if time]
    if operator.as_json:
        print_json({"items": items})
        return
    # One that needs its seconds gives them to all: times are compared down a column.
    exact = any(datetime.fromisoformat(time).second for time in times)
    row = partial(_schedule_row, exact=exact)
    print_table(_COLUMNS, map(row, items), all_of_one="orpheus schedules show NAME")
    tell_if_nothing_runs(store, everything)


@schedules.command()
@_of_schedule
@for_operator
def show(operator: Operator, name: str) -> None:
    """Show all of a schedule: its times, its next runs, and what became of its last jobs."""
    with operator.store() as store:
        item = schedule_json(store, store.schedules.get(name))
    if operator.as_json:
        print_json(item)
        return
    zone, row = item["timezone"], fields_of(_COLUMNS, _schedule_row(item, exact=False))
    last_runs = [f"{_outcome(one['job'], one)} {ago(one['at'])}" for one in item["last_runs"]]
    fields = {
        **{name: value for name, value in row.items() if name not in ("next run", "then")},
        "in words": item["in_words"],
        "queue": item["queue"],
        "next runs": ", ".join(time_in(run, zone) for run in item["next_runs"]) or "paused",
        "last jobs": ", ".join(last_runs) or None,
        "missed": item["missed"] and time_in(item["missed"], zone),
        "its jobs": as_called(f"orpheus jobs --tag {item['tag']}"),
    }
    print_whole(fields)


def _schedule_row(item: Mapping[str, Any], *, exact: bool) -> tuple[object, ...]:
    zone = item["timezone"]
    runs = [time_in(run, zone, to_the_second=exact) for run in item["next_runs"][:2]]
    next_run, then = (*runs, None, None)[:2]
    return (
        item["name"],
        item["type"],
        item["cron"] or f"every {duration(item['every'])}",
        zone,
        item["last_run"] and time_in(item["last_run"], zone, to_the_second=exact),
        _outcome(item["last_job"], item["last_result"]),
        "paused" if item["paused"] else next_run,
        then,
        paused_by(item["pause"]),
    )


def _outcome(job_id: int | None, result: Mapping[str, Any] | None) -> str | None:
    """Return what became of the last job: `17 done`, `18 failed (TimeoutError)`."""
    if job_id is None or result is None:
        return None
    error = f" ({result['error']})" if result["error"] else ""
    return f"{job_id} {result['status']}{error}"


@click.command("run-schedule")
@_of_schedule
@with_reason
@for_operator
def run_schedule(operator: Operator, name: str, reason: str | None) -> None:
    """Submit the job of a schedule now; its own times stay as they are."""
    from orpheus.shared.operations.stored_settings import job_maker  # noqa: PLC0415 - no completion needs it

    with operator.opened(certain=True) as (store, handover):  # [jobs] has defaults of the job
        make_job = job_maker(store, handover.defaults)
        job_id = operator_actions.run_schedule(store, operator.actor(reason), name, make_job)
        job = store.jobs.get(job_id)
        operator.answer(listed_job_of(job), f"schedule {name}: job {job.id} submitted")
        warn_if_nothing_runs(store, handover)


@click.command("pause-schedule")
@_of_schedule
@with_reason
@for_operator
def pause_schedule(operator: Operator, name: str, reason: str | None) -> None:
    """Submit no job of a schedule until it is resumed, even after restarts."""
    _set_paused(operator, name, reason, paused=True)


@click.command("resume-schedule")
@_of_schedule
@with_reason
@for_operator
def resume_schedule(operator: Operator, name: str, reason: str | None) -> None:
    """Submit jobs of a schedule again; times missed meanwhile are skipped."""
    _set_paused(operator, name, reason, paused=False)


def _set_paused(operator: Operator, name: str, reason: str | None, *, paused: bool) -> None:
    with operator.store() as store:
        actor = operator.actor(reason)
        was_paused = store.schedules.get(name).paused
        standing = operator_actions.pause_schedule(store, actor, name, paused=paused)
        item = schedule_json(store, store.schedules.get(name))
    if paused:
        tell_pause(f"schedule {name}", item, pause_json(standing), as_json=operator.as_json)
    else:
        now = "resumed" if was_paused else "not paused"
        runs = [f"next run {time_in(at, item['timezone'])}" for at in item["next_runs"][:1]]
        operator.answer(item, ", ".join([f"schedule {name}: {now}", *runs]))


schedules.add_command(run_schedule, "run")
schedules.add_command(pause_schedule, "pause")
schedules.add_command(resume_schedule, "resume")
