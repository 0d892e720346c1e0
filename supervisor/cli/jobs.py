"""Jobs that exist: list, show, read the log."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from orpheus.shared.domain.jobs import Attempt, Job, LogLine, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.text import printable
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator
from orpheus.supervisor.cli.output import (
    duration,
    print_block,
    print_fields,
    print_json,
    print_table,
    since,
)

if TYPE_CHECKING:
    from orpheus.shared.storage import Store

_LOOK_AGAIN_S = 0.1
_LINES_AT_ONCE = 1_000


@click.command()
@click.option("--status", type=click.Choice([status.value for status in Status]))
@click.option("--type", "type_", type=Text(), metavar="TYPE", help="Only jobs of this type.")
@click.option("--queue", type=Text(), metavar="QUEUE", help="Only jobs of this queue.")
@click.option("--tag", type=Text(), metavar="TAG", help="Only jobs with this tag.")
@click.option(
    "--q",
    type=Text(),
    metavar="TEXT",
    help="Only jobs with this text in type, payload, error or tags, of the newest 10,000.",
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@for_operator
def jobs(
    operator: Operator,
    status: str | None,
    type_: str | None,
    queue: str | None,
    tag: str | None,
    q: str | None,
    limit: int,
) -> int:
    """List jobs, newest first."""
    from orpheus.shared.storage import JobFilter  # noqa: PLC0415 - the database, not for --help

    wanted = JobFilter(Status(status) if status else None, type_, queue, tag, q)
    with operator.store() as store:
        page = store.jobs.page(wanted, limit)
        total = store.jobs.total(wanted)
        now_ms = store.clock.wall_ms()
    if operator.as_json:
        from orpheus.shared.views.jobs import job_json  # noqa: PLC0415

        relation = "eq" if total.exact else "gte"
        print_json(
            {
                "items": [job_json(job) for job in page],
                "total": {"value": total.value, "relation": relation},
            }
        )
        return 0
    print_table(
        ("ID", "TYPE", "STATUS", "QUEUE", "ATTEMPT", "CREATED", "RAN", "WORKER", "NOTE"),
        [_row(job, now_ms) for job in page],
    )
    if total.value > len(page):
        at_least = "" if total.exact else "at least "
        click.echo(f"the newest {len(page)} of {at_least}{total.value:,}", err=True)
    return 0


def _row(job: Job, now_ms: int) -> tuple[object, ...]:
    note = job.error.message if job.error else job.message
    return (
        job.id,
        job.type,
        job.status.value,
        job.queue,
        job.attempt,
        since(job.created_at_ms, now_ms),
        duration(_ran_s(job.started_at_ms, job.finished_at_ms, now_ms)),
        job.worker,
        note.partition("\n")[0][:80] if note else "",
    )


def _ran_s(started_at_ms: int | None, finished_at_ms: int | None, now_ms: int) -> float | None:
    if started_at_ms is None:
        return None
    return max(0, (finished_at_ms or now_ms) - started_at_ms) / 1000


@click.command()
@click.argument("id", type=JobId)
@for_operator
def show(operator: Operator, id: int) -> int:
    """Show a job, its attempts and its error."""
    with operator.store() as store:
        job, attempts = store.jobs.get(id), store.jobs.attempts(id)
        now_ms = store.clock.wall_ms()
    if operator.as_json:
        print_json(_whole_json(job, attempts))
        return 0
    print_fields(
        {
            "id": job.id,
            "type": job.type,
            "status": job.status.value + (", asked to stop" if job.cancel_requested else ""),
            "queue": job.queue,
            "priority": job.priority or None,
            "created": since(job.created_at_ms, now_ms),
            "due": since(job.run_at_ms, now_ms) if job.status is Status.PENDING else None,
            "finished": since(job.finished_at_ms, now_ms),
            "worker": job.worker,
            "attempt": f"{job.attempt} of up to {job.max_retries + 1}" if job.attempt else None,
            "progress": f"{job.progress:.0%}" if job.progress is not None else None,
            "message": job.message,
            "timeout": duration(job.timeout_s),
            "unique key": job.unique_key,
            "depends on": ", ".join(map(str, job.depends_on)) or None,
            "tags": ", ".join(job.tags) or None,
            "payload": job.payload,
            "result": job.result,
        }
    )
    if attempts:
        click.echo()
        print_table(
            ("ATTEMPT", "OUTCOME", "WORKER", "PID", "STARTED", "RAN", "ERROR"),
            [_attempt_row(attempt, now_ms) for attempt in attempts],
        )
    if job.error is not None:
        print_block("error", job.error.traceback or f"{job.error.type}: {job.error.message}")
    return 0


def _attempt_row(attempt: Attempt, now_ms: int) -> tuple[object, ...]:
    error = attempt.error
    return (
        attempt.number,
        attempt.outcome.value if attempt.outcome else "running",
        attempt.worker,
        attempt.pid,
        since(attempt.started_at_ms, now_ms),
        duration(_ran_s(attempt.started_at_ms, attempt.finished_at_ms, now_ms)),
        f"{error.type}: {error.message}".partition("\n")[0][:80] if error else "",
    )


def _whole_json(job: Job, attempts: list[Attempt]) -> dict[str, Any]:
    from orpheus.shared.views.jobs import attempt_json, job_json  # noqa: PLC0415 - the database, not for --help

    return {**job_json(job), "attempts": [attempt_json(attempt) for attempt in attempts]}


@click.command()
@click.argument("id", type=JobId)
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended (or Ctrl-C).")
@for_operator
def logs(operator: Operator, id: int, follow: bool) -> int:
    """Print what a job wrote."""
    with operator.store() as store:
        try:
            _print_log(store, id, follow=follow, as_json=operator.as_json)
        except KeyboardInterrupt:  # the usual way to stop following
            click.echo()
    return 0


def _print_log(store: "Store", job_id: int, *, follow: bool, as_json: bool) -> None:
    seen = 0
    while True:
        # The status first: whatever a job wrote before it ended is then there to be read.
        ended = store.jobs.get(job_id).status in TERMINAL
        lines = store.logs.after(job_id, seen, _LINES_AT_ONCE)
        for line in lines:
            _print_line(line, as_json=as_json)
            seen = line.id
        if not lines:
            if ended or not follow:
                return
            _wait_for_change(store)


def _wait_for_change(store: "Store") -> None:
    while not store.data_changed():
        time.sleep(_LOOK_AGAIN_S)


def _print_line(line: LogLine, *, as_json: bool) -> None:
    import json  # noqa: PLC0415 - only here

    if as_json:  # one object a line: a log that is followed never ends the list
        from orpheus.shared.views.jobs import rfc3339  # noqa: PLC0415

        whole = {
            "id": line.id,
            "attempt": line.attempt,
            "at": rfc3339(line.at_ms),
            "level": line.level,
            "line": line.line,
            "fields": json.loads(line.fields),
        }
        click.echo(json.dumps(whole))
        return
    at = datetime.fromtimestamp(line.at_ms / 1000).astimezone()
    fields = "".join(
        f" {key}={json.dumps(value)}" for key, value in json.loads(line.fields).items()
    )
    text = f"{at:%H:%M:%S}.{line.at_ms % 1000:03} #{line.attempt} {line.level:<7} "
    click.echo(text + printable(line.line + fields))
