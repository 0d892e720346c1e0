"""Say why a job does not run."""

import time
from typing import NamedTuple

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.domain.lifecycle import TERMINAL, WAITING
from orpheus.shared.errors import ExitCode
from orpheus.shared.explain.answers import reason_of
from orpheus.shared.explain.facts import read_job
from orpheus.shared.explain.reasons import Reason, of_job
from orpheus.shared.explain.sentences import command_of, text_of
from orpheus.shared.messages.queues import Code, Why
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.given import as_called, text_as_called
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator
from orpheus.supervisor.cli.output import duration, local_time, print_json, width_of_terminal
from orpheus.supervisor.cli.processes import read_facts, read_workers
from orpheus.supervisor.cli.table import GAP, wrapped
from orpheus.supervisor.cli.whole_number import CommandWithNumber

_PATIENCE_S = 2.0
"""A job that starts within this time is not told to wait."""
_LOOK_EVERY_S = 2.0
_MOST_LINES = 20
"""What holds a job back may change with each look, and must not fill a log."""
_UNHEARD = {Code.WORKER_GONE: "does not run", Code.WORKER_SILENT: "may not run"}


@click.command(cls=CommandWithNumber)
@click.argument("id", type=JobId, shell_complete=live("jobs that wait or run"))
@for_operator
def why(operator: Operator, id: int) -> int:
    """Say why a job does not run, who holds it back, and until when; exit 0 if it runs."""
    with operator.opened() as (store, handover):
        job, now_ms, reasons = _read(store, handover, id)
    if operator.as_json:
        print_json(Why(runs=not reasons, reasons=[reason_of(one) for one in reasons]))
    else:
        width = width_of_terminal()
        click.echo(_verdict(job, reasons))
        for reason in reasons:
            command = command_of(reason)
            mends = f" ({as_called(command)})" if command else ""
            line = f"- {_line(reason, now_ms)}{mends}"
            for one in [line] if width is None else wrapped(line, width - len(GAP)):
                click.echo(GAP + one)
    return ExitCode.NO if reasons else ExitCode.OK


class _Read(NamedTuple):
    job: Job
    now_ms: int
    reasons: list[Reason]


def _read(store: Store, handover: CommandLineHandover, id: int) -> _Read:
    """Return the job, when it was read, and why it does not run."""
    # Outside the snapshot: it may try whether a write can begin.
    workers = read_workers(store, handover)
    with store.snapshot():
        found = read_job(store, id)
        facts = read_facts(store, handover, workers, {found.job.queue})
        return _Read(found.job, facts.now_ms, of_job(facts, found))


def first_reason(store: Store, handover: CommandLineHandover, id: int) -> str | None:
    """Return the first reason why a job does not run, and how many more; None: none, or ended."""
    job, now_ms, reasons = _read(store, handover, id)
    return _first(reasons, now_ms, id) if reasons and job.status not in TERMINAL else None


def _first(reasons: list[Reason], now_ms: int, id: int, *, is_last: bool = False) -> str:
    """Return the first reason in words. `is_last`: no later reason is told."""
    first, *others = reasons
    command = as_called(f"orpheus why {id}")
    more = f"; {len(others)} more: {command}" if others else ""
    if is_last:
        more = f"; no further reason is told: {command}"
    return _line(first, now_ms) + more


class WaitingJob:
    """Says why a job waits once it has waited for a while, and again when that changes."""

    def __init__(self, store: Store, handover: CommandLineHandover) -> None:
        self._store = store
        self._handover = handover
        self._look_at_s = time.monotonic() + _PATIENCE_S
        self._told: tuple[object, ...] | None = None
        self._lines_left = _MOST_LINES

    def news(self, job: Job) -> str | None:
        """Return why it waits, if that is to be told now."""
        now_s = time.monotonic()
        if job.status not in WAITING or now_s < self._look_at_s or not self._lines_left:
            return None
        self._look_at_s = now_s + _LOOK_EVERY_S
        job, now_ms, reasons = _read(self._store, self._handover, job.id)
        if job.status not in WAITING or not reasons:
            return None
        # The text of the same reason changes: of how many jobs go before it, for example.
        news = job.attempt, reasons[0].code, reasons[0].by
        if news == self._told:
            return None
        self._told = news
        self._lines_left -= 1
        return (
            f"job {job.id} waits: {_first(reasons, now_ms, job.id, is_last=not self._lines_left)}"
        )


def _verdict(job: Job, reasons: list[Reason]) -> str:
    if reasons:
        what = _UNHEARD.get(Code(reasons[0].code), "waits")
        return f"job {job.id} ({job.type}) {'has ended' if job.status in TERMINAL else what}:"
    if job.status is Status.IN_PROGRESS:
        return f"job {job.id} ({job.type}) runs on {job.worker}"
    return f"job {job.id} ({job.type}) runs next: nothing holds it back"


def _line(reason: Reason, now_ms: int) -> str:
    text = text_of(reason)
    by = f" (held by {reason.by})" if reason.by and reason.by not in text else ""
    return printable(text_as_called(text) + by) + _until(reason.until_ms, now_ms)


def _until(until_ms: int | None, now_ms: int) -> str:
    if until_ms is None:
        return ""
    left_s = max(0.0, until_ms - now_ms) / 1000
    return f", until {local_time(rfc3339(until_ms))} (for {duration(left_s)})"
