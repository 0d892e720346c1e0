"""Submit a job, and wait for its end."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.hidden import Hidden
from orpheus.shared.domain.jobs import Job, NewJob, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.errors import ExitCode, Unavailable
from orpheus.shared.messages.jobs import listed_job_of, shown_texts
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.logs import wait_for_change
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator
from orpheus.supervisor.cli.output import (
    is_dumb,
    print_json,
    reader_may_leave,
    terminal_size,
    warn,
)
from orpheus.supervisor.cli.payload import payload_of
from orpheus.supervisor.cli.why import lasting_reason

_LOOK_EVERY_S = 2.0
"""How often to look for what holds the job back. Each look runs several queries."""
_BAR, _CLEAR_LINE = 20, "\r\x1b[K"


@click.command()
@click.argument("type", metavar="TYPE", shell_complete=live("types"))
@click.argument("payload", nargs=-1, metavar="[JSON | KEY=VALUE…]")
@click.option(
    "--queue",
    metavar="QUEUE",
    help="Default: the type's, or `default`.",
    shell_complete=live("queues"),
)
@click.option("--priority", type=int, default=0, help="-1000 to 1000; higher runs first.")
@click.option(
    "--delay", default="0", metavar="DURATION", help="How long to wait before it runs: 90, 15m, 2h."
)
@click.option("--max-retries", type=int, metavar="N", help="0 to 100; default: the type's.")
@click.option("--timeout", metavar="DURATION", help="Limit of one attempt; default: the type's.")
@click.option(
    "--unique-key",
    metavar="KEY",
    help="If a live job of TYPE has this key, return that job instead.",
)
@click.option(
    "--concurrency-key",
    metavar="KEY",
    help="Jobs with the same key share the per-key limits of their queue.",
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag; repeatable.")
@click.option(
    "--depends-on",
    type=JobId,
    multiple=True,
    metavar="ID",
    help="Run it after this job is done; repeatable.",
    shell_complete=live("jobs"),
)
@click.option(
    "--on-dependency-failure",
    type=click.Choice(["cancel", "run", "fail"]),
    default="cancel",
    show_default=True,
    metavar="WHAT",
    help="What to do with it if a dependency is not done: cancel, run or fail.",
)
@click.option("--expires", metavar="DURATION", help="Cancel it if it has not started by then.")
@click.option(
    "--unique-for",
    metavar="DURATION",
    help="How long its unique key stays taken, also if it has ended.",
)
@click.option(
    "--on-duplicate",
    type=click.Choice(["keep", "replace"]),
    metavar="WHAT",
    help="`replace`: a job with the unique key that has not started gets this payload and time.",
)
@click.option("--retention", metavar="DURATION", help="How long it is kept after it is done.")
@click.option("--wait", is_flag=True, help="Wait until it ends; exit 0 only if it is done.")
@for_operator
def submit(
    operator: Operator,
    type: str,
    payload: tuple[str, ...],
    wait: bool,
    **fields: Any,
) -> int:
    """Submit a job of TYPE. The payload is a JSON object, or fields as KEY=VALUE.

    A VALUE is parsed as JSON; if that fails, it is a string. For commands and string fields it is
    always a string.
    """
    from orpheus.shared.job_types.admission import prepare_job  # noqa: PLC0415 - no completion needs it

    with operator.opened() as (store, handover):
        types = {row.name: row for row in store.types.all()}
        schema = json.loads(types[type].schema) if type in types else {}
        value = payload_of(payload, schema)
        new = prepare_job(types, handover.defaults, type=type, payload=value, **fields)
        submitted = store.jobs.submit(new)
        job = submitted.job
        # The job is already submitted: a closed pipe must not change the exit code.
        with reader_may_leave():
            if wait or not operator.as_json:
                what = "submitted" if submitted.created else _held(job, new)
                click.echo(f"job {job.id} {what}", err=wait)
            if not wait and (reason := lasting_reason(store, handover, job)):
                warn(reason)
        if wait:
            job = _wait(store, handover, job, is_quiet=operator.as_json)
        hidden = store.hidden.rules()
    with reader_may_leave():
        _print_outcome(operator, job, hidden, waited=wait)
    # It may already be cancelled or failed, because a dependency failed.
    must_be_done = wait or job.status in TERMINAL
    return ExitCode.NO if must_be_done and job.status is not Status.DONE else ExitCode.OK


def _held(job: Job, new: NewJob) -> str:
    """Say what became of a job that was not made, as `job` holds its unique key."""
    if not new.replaces:
        return "already has this unique key"
    if job.attempt == 0 and job.payload == new.payload:
        return "had this unique key: it has this payload and time now"
    return "has this unique key and has started: nothing was changed"


def _print_outcome(operator: Operator, job: Job, hidden: Hidden, *, waited: bool) -> None:
    if operator.as_json:
        print_json(listed_job_of(job, hidden))
    elif waited and job.status is Status.DONE:
        result = shown_texts(job, hidden)[1] or "null"
        click.echo(printable(result) if sys.stdout.isatty() else result)
    elif waited or job.status in TERMINAL:
        reason = f": {job.error.type}: {job.error.message}" if job.error else ""
        click.echo(f"orpheus: job {job.id} is {job.status}{printable(reason)}", err=True)


def _wait(store: Store, handover: CommandLineHandover, job: Job, *, is_quiet: bool) -> Job:
    """Return the job once it has ended; if the wait is broken off, say that the job goes on."""
    told, look_at_s = None, time.monotonic() + _LOOK_EVERY_S
    try:
        with _progress_bar(job) as show:
            while job.status not in TERMINAL:
                wait_for_change(store, _LOOK_EVERY_S)
                job, reason = store.jobs.get(job.id), told
                if not is_quiet and time.monotonic() >= look_at_s:
                    look_at_s = time.monotonic() + _LOOK_EVERY_S
                    reason = lasting_reason(store, handover, job)
                show(job, reason if reason != told else None)
                told = reason
    except (KeyboardInterrupt, Unavailable):
        click.echo(f"orpheus: stopped waiting; the job continues: orpheus show {job.id}", err=True)
        raise
    return job


@contextmanager
def _progress_bar(job: Job) -> Iterator[Callable[[Job, str | None], None]]:
    """Yield a function that shows the job's progress, and the reason it waits.

    On a terminal it draws a progress bar.
    """
    is_drawn = sys.stderr.isatty() and not is_dumb()

    def show(job: Job, reason: str | None) -> None:
        with reader_may_leave():
            clear()
            if reason:
                click.echo(f"job {job.id} waits: {reason}", err=True)
            if is_drawn:
                done = "#" * round((job.progress or 0.0) * _BAR)
                line = f"{job.type} {job.status} [{done:<{_BAR}}] {printable(job.message or '')}"
                click.echo(line[: terminal_size().columns - 1], nl=False, err=True)

    def clear() -> None:
        if is_drawn:
            click.echo(_CLEAR_LINE, nl=False, err=True)

    show(job, None)
    try:
        yield show
    finally:
        clear()
