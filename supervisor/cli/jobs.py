"""Read jobs: list them, show one."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Attempt, Job, JobError, Status
from orpheus.shared.domain.lifecycle import LIVE, WAITING
from orpheus.shared.explain.answers import queues_of
from orpheus.shared.explain.facts import Facts
from orpheus.shared.explain.reasons import of_next, of_worker
from orpheus.shared.explain.sentences import how_cancelled, note_of
from orpheus.shared.messages.jobs import job_of, listed_job_of
from orpheus.shared.storage import Budget, JobOrder, NextJob, Store
from orpheus.shared.text import first_line
from orpheus.shared.views.workers import Worker
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.job_filter import filter_of, filter_options
from orpheus.supervisor.cli.once import once
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator
from orpheus.supervisor.cli.output import (
    duration,
    mebibytes,
    print_block,
    print_fields,
    print_json,
    print_table,
    say_none,
    since,
    when,
)
from orpheus.supervisor.cli.processes import (
    read_facts,
    read_workers,
    tell_if_nothing_runs,
    to_be_released,
)
from orpheus.supervisor.cli.queues import warn_if_none_starts
from orpheus.supervisor.cli.table import Column
from orpheus.supervisor.cli.unknown_names import warn_of_filter
from orpheus.supervisor.cli.whole_number import CommandWithNumber, WholeNumber

_LONGEST_NOTE = 300
_CREATED = Column("CREATED", 2)
_COLUMNS = (
    "ID",
    Column("TYPE", least=12),
    "STATUS",
    Column("QUEUE", 6, least=12),
    Column("ATTEMPT", 5),
    _CREATED,
    Column("RAN", 4),
    Column("WORKER", 7, least=12),
    Column("NOTE", 1, least=12, enough=30),
)
_ENDED = [Column("ENDED", 2) if one == _CREATED else one for one in _COLUMNS]
_OF_ATTEMPTS = (
    "ATTEMPT",
    "OUTCOME",
    Column("WORKER", 3),
    Column("PID", 6),
    Column("STARTED", 1),
    "RAN",
    Column("CPU", 5),
    Column("MEMORY", 4),
    Column("ERROR", least=12, enough=30),
)
_TOTAL_S = 0.2


@click.command()
@filter_options
@once("--limit", type=WholeNumber(1, 10_000), metavar="N", default=50, show_default=True)
@for_operator
def jobs(operator: Operator, limit: int, **fields: Any) -> None:
    """List jobs, newest first; with --since or --until, those that ended last first."""
    wanted = filter_of(fields)
    order = JobOrder.ENDED if wanted.by_end else JobOrder.NEWEST
    with operator.opened() as (store, handover):
        page = store.lists.page(wanted, limit, order=order).jobs
        if not page and not warn_of_filter(store, handover, wanted) and not operator.as_json:
            say_none("job")
        total = store.lists.total(wanted, Budget(_TOTAL_S), order=order)
        if operator.as_json:
            shown = {"value": total.value, "relation": "eq" if total.exact else "gte"}
            print_json({"items": [listed_job_of(job) for job in page], "total": shown})
            return
        now_ms, only = store.clock.wall_ms(), wanted.queue
        waits_for = _waits_for(store, page)
        is_any_live = any(job.status in LIVE for job in page)
        workers = read_workers(store, handover) if is_any_live or only else []
        facts = read_facts(store, handover, workers)
        held = _held(store, page, workers, facts)
    columns = _ENDED if wanted.by_end else _COLUMNS
    notes = (_note(job, now_ms, waits_for.get(job.id, ()), held.get(job.id)) for job in page)
    row = partial(_row, now_ms=now_ms, by_end=wanted.by_end)
    print_table(columns, map(row, page, notes))
    if total.value > len(page):
        at_least = "" if total.exact else "at least "
        which = "last" if wanted.by_end else "newest"
        click.echo(f"the {which} {len(page)} of {at_least}{total.value:,}", err=True)
    for queue in queues_of(facts):
        if queue.name == only and workers:
            warn_if_none_starts(queue)
    if is_any_live:
        tell_if_nothing_runs(store, workers)


def _waits_for(store: Store, page: Sequence[Job]) -> dict[int, list[int]]:
    """Return the jobs that each blocked one waits for: those of its dependencies that may run."""
    blocked = [job for job in page if job.status is Status.BLOCKED]
    ids = tuple({id for job in blocked for id in job.depends_on})
    if not ids:
        return {}
    live = {*store.lists.ids(JobFilter(ids=ids), LIVE, max_id=max(ids))[0]}
    return {job.id: [id for id in job.depends_on if id in live] for job in blocked}


def _held(
    store: Store, page: Sequence[Job], workers: Sequence[Worker], facts: Facts
) -> dict[int, str]:
    """Return what holds jobs back, in a word or two: due ones, and those of a silent worker.

    Also whose worker ends, and who cancelled the cancelled ones.
    """
    told = to_be_released(store, workers)
    for incarnation in store.jobs.running():
        if silence := of_worker(facts, incarnation, None):
            told |= dict.fromkeys(store.leases.jobs_of(incarnation), note_of(silence))
    found: dict[int, str] = {}
    for job in page:
        if job.status is Status.IN_PROGRESS and job.id in told:
            found[job.id] = told[job.id]
        elif job.was_cancelled:
            found[job.id] = how_cancelled(store.audit.who_cancelled(job), job.error)
        elif job.status is Status.PENDING and job.run_at_ms <= facts.now_ms:
            quarantine = facts.quarantined.get(job.type)
            reasons = of_next(facts, NextJob(job.queue, job.type, quarantine=quarantine))
            if reasons:
                found[job.id] = note_of(reasons[0])
    return found


def _row(job: Job, note: str, now_ms: int, *, by_end: bool) -> tuple[object, ...]:
    return (
        job.id,
        job.type,
        job.status.value,
        job.queue,
        job.attempt,
        since(job.finished_at_ms if by_end else job.created_at_ms, now_ms),
        None if job.status in WAITING else _run_time(job, now_ms),
        job.worker,
        note,
    )


def _note(job: Job, now_ms: int, waits_for: Sequence[int], held: str | None) -> str:
    """Return what a job waits for, and its error; of a running one, its progress and message.

    If a job runs again after an error, only the type of the error is told. The message of a job
    that has ended is left out: it may still say "row 5900 of 6000".
    """
    parts = []
    if waits_for:
        first, *others = waits_for
        parts.append(f"waits for job {first}" + (f" and {len(others)} more" if others else ""))
    if held:
        parts.append(held)
    if job.status is Status.PENDING and job.run_at_ms > now_ms:
        parts.append(f"due {since(job.run_at_ms, now_ms)}")
    if job.was_cancelled:
        return ", ".join(parts)
    if job.status is not Status.IN_PROGRESS:
        return ", ".join([*parts, *([_of_error(job.error)] if job.error else [])])
    if job.cancel_requested:
        parts.append("asked to stop")
    if job.progress is not None:
        parts.append(f"{job.progress:.0%}")
    if job.message:
        parts.append(first_line(job.message, _LONGEST_NOTE))
    if job.error:
        parts.append(f"before: {job.error.type}")
    return ", ".join(parts)


def _of_error(error: JobError) -> str:
    told = f"{error.type}: {error.message}" if error.message else error.type
    return first_line(told, _LONGEST_NOTE)


def _run_time(run: Job | Attempt, now_ms: int) -> str | None:
    if run.started_at_ms is None:
        return None
    ended_ms = run.ran_until_ms if isinstance(run, Job) else run.finished_at_ms
    return duration(max(0, (ended_ms or run.finished_at_ms or now_ms) - run.started_at_ms) / 1000)


@click.command(cls=CommandWithNumber)
@click.argument("id", type=JobId, shell_complete=live("jobs"))
@for_operator
def show(operator: Operator, id: int) -> None:
    """Show a job, its attempts and its error."""
    from orpheus.supervisor.cli.why import first_reason  # noqa: PLC0415 - not for jobs

    with operator.opened() as (store, handover):
        job, attempts = store.jobs.get(id), store.jobs.attempts(id)
        if operator.as_json:
            print_json(job_of(job, attempts))
            return
        status = _status(store, job)
        waits = first_reason(store, handover, id) if job.status in LIVE else None
        if job.status is Status.IN_PROGRESS:
            workers = read_workers(store, handover)
            waits = waits or to_be_released(store, workers).get(id)
        now_ms = store.clock.wall_ms()
    print_fields(
        {
            "id": job.id,
            "type": job.type,
            "status": status,
            "queue": job.queue,
            "priority": job.priority or None,
            "created": when(job.created_at_ms, now_ms),
            "due": when(job.run_at_ms, now_ms) if job.status is Status.PENDING else None,
            "note" if job.status is Status.IN_PROGRESS else "waits": waits,
            "finished": when(job.finished_at_ms, now_ms),
            "worker": job.worker,
            # More than its retries allow, after an operator's retry.
            "attempt": job.attempt or None,
            "retries": job.max_retries,
            "progress": None
            if job.progress is None or job.status is Status.DONE
            else f"{job.progress:.0%}",
            "message" if job.status is Status.IN_PROGRESS else "last message": job.message,
            "timeout": duration(job.timeout_s),
            "unique key": job.unique_key,
            "concurrency key": job.concurrency_key,
            "depends on": ", ".join(map(str, job.depends_on)) or None,
            "tags": ", ".join(job.tags) or None,
            "payload": job.payload,
            "result": job.result,
        },
        wraps=("status", "waits", "note"),
    )
    if attempts:
        click.echo()
        print_table(_OF_ATTEMPTS, [_attempt_row(one, job, now_ms) for one in attempts])
    if job.error is not None:
        number = next((one.number for one in reversed(attempts) if one.error == job.error), None)
        title = "error" if number is None else f"error of attempt {number}"
        print_block(title, _whole_error(job.error))


def _whole_error(error: JobError) -> str:
    """Return the traceback, after the error's message if the traceback does not contain it."""
    sentence = _of_error(error)
    if error.traceback is None or error.message.partition("\n")[0] in error.traceback:
        return error.traceback or sentence
    return f"{sentence}\n{error.traceback}"


def _status(store: Store, job: Job) -> str:
    """Return the status, and who cancelled a job and why, or that it was asked to stop."""
    if job.status is Status.IN_PROGRESS and job.cancel_requested:
        return f"{job.status}, asked to stop"
    if job.status is Status.CANCELLED:
        return f"{job.status} {how_cancelled(store.audit.who_cancelled(job), None)}".rstrip()
    return job.status.value


def _attempt_row(attempt: Attempt, job: Job, now_ms: int) -> tuple[object, ...]:
    error = attempt.error
    return (
        attempt.number,
        attempt.outcome.value if attempt.outcome else "running",
        attempt.worker,
        attempt.pid,
        since(attempt.started_at_ms, now_ms),
        _run_time(attempt if attempt.outcome else job, now_ms),
        duration(attempt.cpu_s),
        mebibytes(attempt.max_rss_bytes),
        _of_error(error) if error else "",
    )
