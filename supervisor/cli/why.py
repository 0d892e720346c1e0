"""Say why a job does not run."""

from datetime import datetime

import click

from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.errors import ExitCode
from orpheus.shared.text import printable
from orpheus.shared.views.why import Why, WhyReason, why_json
from orpheus.shared.views.workers import workers_json
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator
from orpheus.supervisor.cli.output import duration, print_json


@click.command()
@click.argument("id", type=JobId, shell_complete=live("jobs that wait or run"))
@for_operator
def why(operator: Operator, id: int) -> int:
    """Say why a job does not run, who holds it back, and until when."""
    handover = operator.handover()
    pools, timeout_s = handover.storage.pools, handover.beat_timeout_s
    with operator.store(handover) as store, store.snapshot():
        job, now_ms = store.jobs.get(id), store.clock.wall_ms()
        workers = workers_json(store, supervised_on=None, beat_timeout_s=timeout_s)
        answer = why_json(store, id, workers, pools)
    if operator.as_json:
        print_json(answer)
    else:
        click.echo(_verdict(job, answer))
        for reason in answer["reasons"]:
            click.echo(f"  - {_line(reason, now_ms)}")
    return ExitCode.OK if answer["runs"] else ExitCode.NO


def _verdict(job: Job, answer: Why) -> str:
    if not answer["runs"]:
        return f"job {job.id} ({job.type}) {'has ended' if job.status in TERMINAL else 'waits'}:"
    if job.status is Status.IN_PROGRESS:
        return f"job {job.id} ({job.type}) runs on {job.worker}"
    return f"job {job.id} ({job.type}) runs next: nothing holds it back"


def _line(reason: WhyReason, now_ms: int) -> str:
    by = f" (held by {reason['by']})" if reason["by"] and reason["by"] not in reason["text"] else ""
    return printable(reason["text"] + by) + _until(reason["until"], now_ms)


def _until(time: str | None, now_ms: int) -> str:
    if time is None:
        return ""
    at = datetime.fromisoformat(time).astimezone()
    left_s = max(0.0, at.timestamp() - now_ms / 1000)
    return f", until {at:%Y-%m-%d %H:%M:%S} (for {duration(left_s)})"
