"""Say why a job does not run."""

import time
from datetime import datetime
from typing import NamedTuple

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.domain.lifecycle import TERMINAL, WAITING
from orpheus.shared.domain.why import Code
from orpheus.shared.errors import ExitCode
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.shared.views.why import Why, WhyReason, why_json
from orpheus.shared.views.workers import workers_json
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.given import as_called, text_as_called
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator
from orpheus.supervisor.cli.output import duration, local_time, print_json, width_of_terminal
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
        job, now_ms, answer, is_released = _read(store, handover, id)
    if operator.as_json:
        print_json(answer)
    else:
        width = width_of_terminal()
        click.echo(_verdict(job, answer))
        for reason in answer["reasons"]:
            line = f"- {_line(reason, now_ms)}{_command(job, reason, is_released)}"
            for one in [line] if width is None else wrapped(line, width - len(GAP)):
                click.echo(GAP + one)
    return ExitCode.OK if answer["runs"] else ExitCode.NO


class _Read(NamedTuple):
    job: Job
    now_ms: int
    answer: Why
    is_released: bool
    """Its type was quarantined and released; its jobs are unparked bit by bit."""


def _read(store: Store, handover: CommandLineHandover, id: int) -> _Read:
    """Return the job, when it was read, and why it does not run."""
    pools, timeout_s = handover.storage.pools, handover.beat_timeout_s
    # Outside the snapshot: it may try whether a write can begin.
    workers = workers_json(store, supervised_on=None, beat_timeout_s=timeout_s)
    with store.snapshot():
        now_ms, job = store.clock.wall_ms(), store.jobs.get(id)
        quarantine = store.quarantines.of(job.type)
        is_released = quarantine is not None and quarantine.is_released
        answer = why_json(store, id, workers, pools, timeout_s)
        return _Read(job, now_ms, answer, is_released)


def first_reason(store: Store, handover: CommandLineHandover, id: int) -> str | None:
    """Return the first reason why a job does not run, and how many more; None: none, or ended."""
    job, now_ms, answer, _ = _read(store, handover, id)
    has_ended = job.status in TERMINAL
    return _first(answer, now_ms, id) if answer["reasons"] and not has_ended else None


def _first(answer: Why, now_ms: int, id: int, *, is_last: bool = False) -> str:
    """Return the first reason of an answer. `is_last`: no later reason is told."""
    first, *others = answer["reasons"]
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
        job, now_ms, answer, _ = _read(self._store, self._handover, job.id)
        if job.status not in WAITING or not answer["reasons"]:
            return None
        first = answer["reasons"][0]
        # The text of the same reason changes: of how many jobs go before it, for example.
        news = job.attempt, first["code"], first["by"]
        if news == self._told:
            return None
        self._told = news
        self._lines_left -= 1
        return f"job {job.id} waits: {_first(answer, now_ms, job.id, is_last=not self._lines_left)}"


def _verdict(job: Job, answer: Why) -> str:
    if not answer["runs"]:
        what = _UNHEARD.get(answer["reasons"][0]["code"], "waits")
        return f"job {job.id} ({job.type}) {'has ended' if job.status in TERMINAL else what}:"
    if job.status is Status.IN_PROGRESS:
        return f"job {job.id} ({job.type}) runs on {job.worker}"
    return f"job {job.id} ({job.type}) runs next: nothing holds it back"


def _line(reason: WhyReason, now_ms: int) -> str:
    by = f" (held by {reason['by']})" if reason["by"] and reason["by"] not in reason["text"] else ""
    return printable(text_as_called(reason["text"]) + by) + _until(reason["until"], now_ms)


def _command(job: Job, reason: WhyReason, is_released: bool) -> str:
    """Return the command that lets the job run, or tells more, as the status has it."""
    commands = {
        Code.QUEUE_PAUSED: f"orpheus resume {job.queue}",
        Code.QUARANTINED: "" if is_released else f"orpheus release {job.type}",
        Code.WORKER_SILENT: f"orpheus stack {job.worker}",
    }
    command = commands.get(reason["code"])
    return f" ({as_called(command)})" if command else ""


def _until(time: str | None, now_ms: int) -> str:
    if time is None:
        return ""
    left_s = max(0.0, datetime.fromisoformat(time).timestamp() - now_ms / 1000)
    return f", until {local_time(time)} (for {duration(left_s)})"
