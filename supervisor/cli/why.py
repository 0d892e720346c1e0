"""Say why a job does not run, or why a queue starts none."""

from typing import NamedTuple

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.domain.words import plural
from orpheus.shared.errors import ExitCode
from orpheus.shared.explain.answers import reason_of
from orpheus.shared.explain.facts import read_job
from orpheus.shared.explain.reasons import Reason, of_job, of_queue
from orpheus.shared.explain.sentences import command_of, text_of
from orpheus.shared.messages.queues import Code, Why
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator
from orpheus.supervisor.cli.output import print_json, when
from orpheus.supervisor.cli.queues import check_queue
from orpheus.supervisor.cli.workers import read_facts, read_workers

_LASTING = frozenset(
    {
        Code.QUEUE_PAUSED,
        Code.NO_POOL,
        Code.NO_WORKER,
        Code.QUARANTINED,
        Code.NEWER_CODE,
        Code.WORKER_GONE,
        Code.WORKER_SILENT,
    }
)
"""What does not pass by itself."""


@click.command()
@click.argument("name", type=Text(), metavar="ID|QUEUE", shell_complete=live("jobs", "queues"))
@for_operator
def why(operator: Operator, name: str) -> int:
    """Say why a job does not run, or why QUEUE starts none; exit 0 if nothing holds it back."""
    with operator.opened() as (store, handover):
        if name.isdecimal():
            job, reasons = _read(store, handover, JobId(name))
            headline = _headline(job, reasons)
        else:
            headline, reasons = _of_queue(store, handover, name)
    if operator.as_json:
        print_json(Why(runs=not reasons, reasons=[reason_of(reason) for reason in reasons]))
    else:
        click.echo(headline)
        for reason in reasons:
            command = command_of(reason)
            click.echo(f"  - {_in_words(reason)}{f' ({command})' if command else ''}")
    return ExitCode.NO if reasons else ExitCode.OK


class _Read(NamedTuple):
    job: Job
    reasons: list[Reason]


def _read(store: Store, handover: CommandLineHandover, id: int) -> _Read:
    """Return a job and why it does not run, both of one moment."""
    # Outside the snapshot: it may try whether a write can begin.
    workers = read_workers(store, handover)
    with store.snapshot():
        found = read_job(store, id)
        facts = read_facts(store, handover, workers, {found.job.queue})
        return _Read(found.job, of_job(facts, found))


def _of_queue(store: Store, handover: CommandLineHandover, name: str) -> tuple[str, list[Reason]]:
    """Return in words how a queue stands, and why its next due job does not start."""
    check_queue(store, handover, name)
    facts = read_facts(store, handover, read_workers(store, handover), {name})
    queue = facts.queues[name]
    reason = of_queue(facts, queue)
    if reason:
        return f"queue {name} starts no job ({plural(queue.due.jobs, 'due job')}):", [reason]
    if queue.due.first:
        return f"queue {name} runs: nothing holds back its next job", []
    paused = " and is paused" if queue.rule.paused else ""
    return f"queue {name} has no due job{paused}", []


def first_reason(store: Store, handover: CommandLineHandover, id: int) -> str | None:
    """Return the first reason why a job does not run, and how many more; None: none, or ended."""
    job, reasons = _read(store, handover, id)
    if job.status in TERMINAL or not reasons:
        return None
    first, *others = reasons
    more = f"; {len(others)} more: orpheus why {id}" if others else ""
    return _in_words(first) + more


def lasting_reason(store: Store, handover: CommandLineHandover, job: Job) -> str | None:
    """Return what holds a job back until somebody acts; None: nothing does."""
    if job.status in TERMINAL:
        return None
    reasons = _read(store, handover, job.id).reasons
    return next((_in_words(reason) for reason in reasons if reason.code in _LASTING), None)


def _headline(job: Job, reasons: list[Reason]) -> str:
    name = f"job {job.id} ({job.type})"
    if reasons:
        return f"{name} {'has ended' if job.status in TERMINAL else 'does not run'}:"
    if job.status is Status.IN_PROGRESS:
        return f"{name} runs on {job.worker}"
    return f"{name} runs next: nothing holds it back"


def _in_words(reason: Reason) -> str:
    until = f" until {when(reason.until_ms)}" if reason.until_ms is not None else ""
    return printable(text_of(reason)) + until
