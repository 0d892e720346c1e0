"""Read jobs: list them, show one."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.job_filter import JobFilter, filter_problems, payload_fields
from orpheus.shared.domain.jobs import Attempt, Job, JobError, Status
from orpheus.shared.domain.lifecycle import LIVE, WAITING
from orpheus.shared.domain.stacks import job_only
from orpheus.shared.explain.facts import queue_names
from orpheus.shared.explain.sentences import how_cancelled
from orpheus.shared.messages.jobs import job_of, listed_job_of, shown_texts
from orpheus.shared.sentences import did_you_mean
from orpheus.shared.storage import Budget, JobOrder, Store
from orpheus.shared.text import first_line
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import JobId, Moment, Operator, Text, for_operator
from orpheus.supervisor.cli.output import (
    Column,
    ago,
    duration,
    local_time,
    mebibytes,
    print_block,
    print_fields,
    print_json,
    print_table,
    say_none,
    warn,
    when,
)

_LONGEST_NOTE = 300
_COLUMNS = (
    "ID",
    Column("TYPE", least=12),
    "STATUS",
    Column("QUEUE", 6, least=12),
    Column("ATTEMPT", 5),
    Column("CREATED", 2),
    Column("ENDED", 2),
    Column("RAN", 4),
    Column("WORKER", 7, least=12),
    Column("NOTE", 1, least=20),
)
_OF_ATTEMPTS = (
    "ATTEMPT",
    "OUTCOME",
    Column("WORKER", 3),
    Column("PID", 6),
    Column("STARTED", 1),
    "RAN",
    Column("CPU", 5),
    Column("MEMORY", 4),
    Column("ERROR", least=20),
)
_TOTAL_S = 0.2
_LOOK_S = 5.0
"""How long to look for jobs that no index finds."""


class PayloadFields(Text):
    """Values of payload fields."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text. Raises BadParameter if it cannot be read."""
        text = super().convert(value, param, ctx)
        try:
            payload_fields(text)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return text


@click.command()
@click.option(
    "--status",
    type=click.Choice([status.value for status in Status]),
    help="Of this status.",
)
@click.option("--type", type=Text(), shell_complete=live("types"), help="Of this type.")
@click.option("--queue", type=Text(), shell_complete=live("queues"), help="In this queue.")
@click.option("--tag", type=Text(), help="With this tag.")
@click.option("--unique-key", type=Text(), help="With this unique key.")
@click.option("--q", type=Text(), help="With this text in type, payload, error or tags.")
@click.option(
    "--where",
    "payload",
    type=PayloadFields(),
    metavar="FIELD=VALUE",
    help="With this payload field: customer=4711, order.name='\"A B\"'.",
)
@click.option("--since", "since_ms", type=Moment(), help="Ended at or after: 1h, 14:02, yesterday.")
@click.option("--until", "until_ms", type=Moment(), help="Ended before this time.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@for_operator
def jobs(operator: Operator, limit: int, status: str | None, **fields: Any) -> None:
    """List jobs, newest first."""
    wanted = JobFilter(status=Status(status) if status else None, **fields)
    for problem in filter_problems(wanted, "--"):
        raise click.BadParameter(problem.detail, param_hint=f"--{problem.pointer[1:]}")
    order = JobOrder.ENDED if wanted.by_end else JobOrder.NEWEST
    with operator.opened() as (store, handover):
        found = store.lists.page(wanted, limit, order=order, budget=Budget(_LOOK_S))
        page = found.jobs
        total = store.lists.total(wanted, Budget(_TOTAL_S))
        held, hidden = _held(store), store.hidden.rules()
        hints = [] if page else list(_hints(store, handover, wanted))
        now_ms = store.clock.wall_ms()
    for hint in hints:
        warn(hint)
    if operator.as_json:
        shown = {"value": total.value, "relation": "eq" if total.exact else "gte"}
        searched = None if found.looked_at is None else {"jobs": found.looked_at}
        items = [listed_job_of(job, hidden) for job in page]
        print_json({"items": items, "total": shown, "searched": searched})
        return
    print_table(_COLUMNS, [_row(job, held, now_ms) for job in page])
    if not page and found.looked_at is None:
        say_none("job")
    if found.looked_at is not None:
        back_to = f", back to {ago(found.reached_ms)}" if found.reached_ms else ""
        warn(
            f"looked at {found.looked_at:,} jobs{back_to}; older ones were not searched. "
            "Add --type, --queue, --status or --since"
        )
    elif total.value > len(page):
        at_least = "" if total.exact else "at least "
        click.echo(f"the first {len(page):,} of {at_least}{total.value:,}", err=True)


class _Held(NamedTuple):
    """What keeps pending jobs from starting."""

    paused: set[str]
    quarantined: set[str]

    def status_of(self, job: Job) -> str:
        """Return the status of a job, and what holds it back."""
        if job.status is Status.PENDING and job.queue in self.paused:
            return f"{job.status} (paused)"
        if job.status is Status.PENDING and job.type in self.quarantined:
            return f"{job.status} (quarantined)"
        return job.status


def _held(store: Store) -> _Held:
    quarantined = {quarantine.type for quarantine in store.quarantines.all()}
    return _Held({row.name for row in store.queues.all() if row.paused}, quarantined)


def _hints(store: Store, handover: CommandLineHandover, wanted: JobFilter) -> Iterator[str]:
    """Yield which names of a filter do not exist, each with a similar one."""
    types = store.types.all()
    queues = queue_names(store, handover.storage.pools)
    if wanted.type is not None and wanted.type not in (known := {row.name for row in types}):
        yield f"there is no job type {wanted.type!r}{did_you_mean(wanted.type, known)}"
    if wanted.queue is not None and wanted.queue not in queues:
        yield f"there is no queue {wanted.queue!r}{did_you_mean(wanted.queue, queues)}"
    fields = {field for row in types for field in json.loads(row.schema).get("properties", ())}
    for path, _ in payload_fields(wanted.payload) if wanted.payload else ():
        name = path.strip("$.").split(".")[0].strip('"')
        if name not in fields and (near := did_you_mean(name, fields)):
            yield f"no job type has a field {name!r}{near}"


def _row(job: Job, held: _Held, now_ms: int) -> tuple[object, ...]:
    return (
        job.id,
        job.type,
        held.status_of(job),
        job.queue,
        job.attempt,
        ago(job.created_at_ms),
        ago(job.finished_at_ms),
        None if job.status in WAITING else _run_time(job, now_ms),
        job.worker,
        _note(job, now_ms),
    )


def _note(job: Job, now_ms: int) -> str:
    """Return when a job is due, its progress, its message and its error.

    The message of a job that has ended is left out: it may still say "row 5900 of 6000".
    """
    parts = []
    if job.status is Status.PENDING and job.run_at_ms > now_ms:
        parts.append(f"due {ago(job.run_at_ms)}")
    if job.status is Status.IN_PROGRESS:
        if job.cancel_requested:
            parts.append("asked to stop")
        if job.progress is not None:
            parts.append(f"{job.progress:.0%}")
        if job.message:
            parts.append(first_line(job.message, _LONGEST_NOTE))
    if job.error:
        is_over = job.status is not Status.IN_PROGRESS
        parts.append(_of_error(job.error) if is_over else f"last error: {job.error.type}")
    return ", ".join(parts)


def _of_error(error: JobError) -> str:
    told = f"{error.type}: {error.message}" if error.message else error.type
    return first_line(told, _LONGEST_NOTE)


def _run_time(run: Job | Attempt, now_ms: int) -> str | None:
    if run.started_at_ms is None:
        return None
    ended_ms = run.ran_until_ms if isinstance(run, Job) else run.finished_at_ms
    return duration(max(0, (ended_ms or run.finished_at_ms or now_ms) - run.started_at_ms) / 1000)


@click.command()
@click.argument("id", type=JobId, shell_complete=live("jobs"))
@for_operator
def show(operator: Operator, id: int) -> None:
    """Show a job, its steps, its attempts and its error."""
    from orpheus.supervisor.cli.durable import print_steps  # noqa: PLC0415 - not for jobs
    from orpheus.supervisor.cli.why import first_reason  # noqa: PLC0415 - not for jobs

    with operator.opened() as (store, handover):
        job, attempts = store.jobs.get(id), store.jobs.attempts(id)
        hidden = store.hidden.rules()
        if operator.as_json:
            print_json(job_of(job, attempts, hidden, has_steps=store.steps.any(id)))
            return
        steps = store.steps.of(id, _LONGEST_NOTE + 1)
        status: str = job.status
        if job.status is Status.CANCELLED:
            status += f" {how_cancelled(store.audit.who_cancelled(job), None)}".rstrip()
        waits = first_reason(store, handover, id) if job.status in LIVE else None
        now_ms = store.clock.wall_ms()
    is_running = job.status is Status.IN_PROGRESS
    payload, result = shown_texts(job, hidden)
    print_fields(
        {
            "id": job.id,
            "type": job.type,
            "status": f"{status}, asked to stop" if is_running and job.cancel_requested else status,
            "queue": job.queue,
            "priority": job.priority or None,
            "created": when(job.created_at_ms),
            "scheduled for": job.scheduled_ms and local_time(job.scheduled_ms),
            "due": when(job.run_at_ms) if job.status is Status.PENDING else None,
            "note" if is_running else "waits": waits,
            "finished": when(job.finished_at_ms),
            "worker": job.worker,
            "attempt": job.attempt or None,
            "retries": job.max_retries,
            "progress": None if job.progress is None else f"{job.progress:.0%}",
            "message": job.message,
            "timeout": duration(job.timeout_s),
            "expires": when(job.expires_ms) if job.status in LIVE else None,
            "unique key": job.unique_key,
            "unique until": job.unique_until_ms and local_time(job.unique_until_ms),
            "retention": None if job.retention_ms is None else duration(job.retention_ms / 1000),
            "concurrency key": job.concurrency_key,
            "depends on": ", ".join(map(str, job.depends_on)) or None,
            "tags": ", ".join(job.tags) or None,
            "payload": payload,
            "result": result,
        }
    )
    if steps:
        click.echo()
        print_steps(steps, hidden.of(job.type))
    if attempts:
        click.echo()
        rows = [_attempt_row(attempt, job, now_ms) for attempt in attempts]
        print_table(_OF_ATTEMPTS, rows)
    if job.error is not None:
        text = _of_error(job.error)
        trace = job_only(job.error.traceback or "")
        print_block("error", f"{text}\n{trace}" if trace else text)


def _attempt_row(attempt: Attempt, job: Job, now_ms: int) -> tuple[object, ...]:
    return (
        attempt.number,
        attempt.outcome.value if attempt.outcome else "running",
        attempt.worker,
        attempt.pid,
        ago(attempt.started_at_ms),
        _run_time(attempt if attempt.outcome else job, now_ms),
        duration(attempt.cpu_s),
        mebibytes(attempt.max_rss_bytes),
        _of_error(attempt.error) if attempt.error else "",
    )
